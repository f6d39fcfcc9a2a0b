package sandbox

import "strings"

func adjectives() []string {
	return strings.Fields("amber brave calm dusty eager fancy gentle hasty icy jolly keen lunar merry noble odd proud quick royal silent tiny urban vivid wild young zesty crimson")
}

func nouns() []string {
	return strings.Fields("anchor badger comet dragon engine falcon garden harbor island jungle kettle lantern meadow nebula otter pirate quartz river saucer tiger umbrella violin walrus xenon yarrow zeppelin imposter reactor")
}

func unicodeEmojis() []string {
	return []string{"🚀", "🔥", "👋", "🎉", "🎮", "📣", "🧪", "🐛", "💡", "🛠️", "🌍", "🎵"}
}

// phrases are the parts of messages, from several languages and of the things that break careless code.
func phrases() []string {
	return []string{
		"has anyone seen the new map", "that was sus", "brb", "gg everyone", "where do I find the rules", "voted red, sorry",
		"ich bin gleich da", "Wer spielt heute Abend mit?", "qui veut jouer ce soir ?", "今日は誰がいますか", "привет всем", "مرحبا بالجميع",
		"😂😂😂", "**really** important", "```go\nfmt.Println(\"hi\")\n```", "||the imposter is cyan||", "> quoted\nand answered", "~~nope~~ yes",
		"https://example.org/watch?v=1&t=2#x", "<@0> is not a person", "zero\u200bwidth", "tab\tand \"quotes\" and \\ backslash",
	}
}

func titled(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// sentence is a short text of plain words, at most 100 characters.
func sentence(b *builder) string {
	return titled(pick(b, adjectives())) + " " + pick(b, nouns()) + " and " + pick(b, adjectives()) + " " + pick(b, nouns()) + " meet at the " + pick(b, nouns()) + "."
}

func categoryName(b *builder, n, of int) string {
	if n == of-1 {
		return "🔒 Staff"
	}
	return pick(b, unicodeEmojis()) + " " + titled(pick(b, adjectives())) + " " + titled(pick(b, nouns()))
}
