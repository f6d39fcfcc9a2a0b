package sandbox

// reaction is an emoji under a message and how many gave it. The sandbox does not keep who they were.
type reaction struct {
	emoji wireEmojiName
	count int
}

// wireEmojiName is an emoji of a guild, or with id null a character.
type wireEmojiName struct {
	ID       nullableID `json:"id"`
	Name     string     `json:"name"`
	Animated bool       `json:"animated,omitempty"`
}

type wireReacted struct {
	Emoji   wireEmojiName `json:"emoji"`
	Count   int           `json:"count"`
	Details struct {
		Burst  int `json:"burst"`
		Normal int `json:"normal"`
	} `json:"count_details"`
	BurstColors []string `json:"burst_colors"`
	MeBurst     bool     `json:"me_burst"`
	Me          bool     `json:"me"`
}

func (r reaction) wire() wireReacted {
	w := wireReacted{Emoji: r.emoji, Count: r.count, BurstColors: []string{}}
	w.Details.Normal = r.count
	return w
}
