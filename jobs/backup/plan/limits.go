package plan

// Limits are what a guild takes at most, as Discord documents or shows it.
type Limits struct {
	Roles       int // with @everyone
	Channels    int // with categories, without threads
	PerCategory int
	Emojis      int // of those that stand still, and of those that move: each
	Stickers    int
	Sounds      int
	Bitrate     int // bits a second
	Webhooks    int // per channel
	Events      int // that have not ended
	Tags        int // per forum
}

// LimitsOf gives the limits of a guild by its boost level and features.
func LimitsOf(level int, has func(feature string) bool) Limits {
	level = max(0, min(level, 3))
	l := Limits{
		Roles: 250, Channels: 500, PerCategory: 50, Webhooks: 15, Events: 100, Tags: 20,
		Emojis:   []int{50, 100, 150, 250}[level],
		Stickers: []int{5, 15, 30, 60}[level],
		Sounds:   []int{8, 24, 36, 48}[level],
		Bitrate:  []int{96_000, 128_000, 256_000, 384_000}[level],
	}
	if has("MORE_EMOJI") {
		l.Emojis = max(l.Emojis, 200)
	}
	if has("MORE_STICKERS") {
		l.Stickers = 60
	}
	if has("MORE_SOUNDBOARD") {
		l.Sounds = max(l.Sounds, 96)
	}
	if has("VIP_REGIONS") {
		l.Bitrate = 384_000
	}
	return l
}

// rulesOf is how many AutoMod rules of a trigger a guild takes.
func rulesOf(trigger int) int {
	if trigger == 1 {
		return 6
	}
	return 1
}
