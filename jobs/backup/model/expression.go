package model

// Emoji is an emoji of the guild. Name and roles can be set, its picture only when it is made.
type Emoji struct {
	ID       ID      `json:"id"`
	Name     string  `json:"name"`
	Roles    []ID    `json:"roles,omitempty"` // who may use it; empty: everybody
	Animated bool    `json:"animated"`
	Managed  bool    `json:"managed,omitempty"` // an integration's: cannot be made
	File     FileKey `json:"file,omitempty"`
}

// Sticker is a sticker of the guild.
type Sticker struct {
	ID          ID      `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Tags        string  `json:"tags"`
	Format      int     `json:"format_type"` // 1 PNG, 2 APNG, 3 Lottie (not for bots), 4 GIF
	File        FileKey `json:"file,omitempty"`
}

// Sound is a sound of the guild's soundboard.
type Sound struct {
	ID        ID      `json:"sound_id"`
	Name      string  `json:"name"`
	Volume    float64 `json:"volume"` // 0 to 1
	EmojiID   *ID     `json:"emoji_id"`
	EmojiName *string `json:"emoji_name"`
	File      FileKey `json:"file,omitempty"`
}
