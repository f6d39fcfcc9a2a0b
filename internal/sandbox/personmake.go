package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
)

// What people make that consists of files or is in threads.

// CreateThread makes a thread without a message: NewsThread, PublicThread or PrivateThread.
func (p Person) CreateThread(channel ID, name string, kind int) (ID, error) {
	return p.made("POST", channelPath(channel, "/threads"), Fields{"name": name, "type": kind})
}

// CreatePost makes a post of a forum with its first message. Its id is also that of the message.
func (p Person) CreatePost(forum ID, name, text string, tags ...ID) (ID, error) {
	return p.made("POST", channelPath(forum, "/threads"), Fields{"name": name, "applied_tags": tags, "message": Fields{"content": text}})
}

// Pin pins a message.
func (p Person) Pin(channel, message ID) error {
	return p.done("PUT", channelPath(channel, "/messages/pins/", message.String()), nil)
}

// dataURI is how pictures and sounds are sent inside JSON.
func dataURI(data []byte) string {
	return "data:" + http.DetectContentType(data) + ";base64," + base64.StdEncoding.EncodeToString(data)
}

// CreateEmoji makes an emoji of a PNG, JPEG, GIF or WebP.
func (p Person) CreateEmoji(guild ID, name string, picture []byte) (ID, error) {
	return p.made("POST", guildPath(guild, "/emojis"), Fields{"name": name, "image": dataURI(picture)})
}

// CreateSound makes a sound of an Ogg or MP3.
func (p Person) CreateSound(guild ID, name string, file []byte) (ID, error) {
	raw, err := p.Do("POST", guildPath(guild, "/soundboard-sounds"), Fields{"name": name, "sound": dataURI(file)})
	if err != nil {
		return 0, err
	}
	var s wireSoundID
	err = json.Unmarshal(raw, &s)
	return s.ID, err
}

type wireSoundID struct {
	ID ID `json:"sound_id"`
}

// CreateSticker makes a sticker of a PNG or GIF.
func (p Person) CreateSticker(guild ID, name, tags string, file []byte) (ID, error) {
	return p.upload(guildPath(guild, "/stickers"), map[string]string{"name": name, "tags": tags}, func(int) string { return "file" }, Upload{"sticker.png", file})
}

// Upload is a file that SendFiles attaches.
type Upload struct {
	Name string
	Data []byte
}

// SendFiles writes a message with files.
func (p Person) SendFiles(channel ID, text string, files ...Upload) (ID, error) {
	body := map[string]string{"payload_json": string(rawJSON(Fields{"content": text}))}
	return p.upload(channelPath(channel, "/messages"), body, func(i int) string { return fmt.Sprintf("files[%d]", i) }, files...)
}

// upload runs a route that takes a form and gives the id of what it made.
func (p Person) upload(path string, texts map[string]string, field func(int) string, files ...Upload) (ID, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, key := range sortedKeys(texts) {
		if err := w.WriteField(key, texts[key]); err != nil {
			return 0, err
		}
	}
	for i, f := range files {
		part, err := w.CreateFormFile(field(i), f.Name)
		if err != nil {
			return 0, err
		}
		if _, err := part.Write(f.Data); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	c := &call{d: p.d, method: http.MethodPost, path: path, contentType: w.FormDataContentType(), body: b.Bytes(), rawReason: url.PathEscape(p.reason)}
	c.route, c.params, _ = p.d.findRoute(c.method, path)
	raw, err := p.run(c, "POST "+path)
	if err != nil {
		return 0, err
	}
	var made idKey
	err = json.Unmarshal(raw, &made)
	return made.ID, err
}
