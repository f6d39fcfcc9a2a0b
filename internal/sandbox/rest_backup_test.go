package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

// part is one part of a multipart body; with a file name it is a file.
type part struct{ name, file, kind, data string }

func multipartBody(t *testing.T, parts ...part) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, p.name)
		if p.file != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, p.file)
		}
		h.Set("Content-Disposition", disposition)
		if p.kind != "" {
			h.Set("Content-Type", p.kind)
		}
		out := must(w.CreatePart(h))(t)
		must(io.WriteString(out, p.data))(t)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// upload sends a form past the description, which knows no files.
func (r *rest) upload(want int, method, path string, parts ...part) any {
	r.t.Helper()
	for i := range parts {
		parts[i].data = r.fill(parts[i].data)
	}
	kind, body := multipartBody(r.t, parts...)
	got := r.w.do(request{method: method, path: r.fill(path), body: body, contentType: kind})
	if got.Status != want {
		r.t.Fatalf("%s %s: %d %s", method, r.fill(path), got.Status, got.Body)
	}
	var v any
	if got.Body != "" && json.Unmarshal([]byte(got.Body), &v) != nil {
		r.t.Fatalf("%s %s: %q", method, path, got.Body)
	}
	return v
}

func (r *rest) threads() {
	r.keep("starter", r.call(200, "POST", "/channels/{text}/messages", `{"content":"let us talk"}`))
	r.keep("thread", r.call(201, "POST", "/channels/{text}/messages/{starter}/threads", `{"name":"talk","auto_archive_duration":60,"rate_limit_per_user":5}`))
	if r.names["thread"] != r.names["starter"] {
		r.t.Error("a message's thread has an id of its own")
	}
	r.call(200, "GET", "/channels/{text}/messages/{starter}", "")
	r.keep("private", r.call(201, "POST", "/channels/{text}/threads", `{"name":"secret","invitable":false}`))
	r.keep("public", r.call(201, "POST", "/channels/{text}/threads", `{"name":"open","type":11}`))
	forum := r.call(200, "GET", "/channels/{forum}", "").(map[string]any)
	r.names["tag"] = forum["available_tags"].([]any)[0].(map[string]any)["id"].(string)
	r.keep("post", r.call(201, "POST", "/channels/{forum}/threads", `{"name":"it breaks","applied_tags":["{tag}"],"message":{"content":"help"}}`))
	r.call(200, "GET", "/channels/{post}/messages/{post}", "")
	r.call(200, "POST", "/channels/{post}/messages", `{"content":"how?"}`)
	r.call(200, "GET", "/channels/{post}", "")
	r.call(200, "PATCH", "/channels/{post}", `{"applied_tags":[],"flags":2,"locked":true}`)
	r.call(204, "PUT", "/channels/{thread}/thread-members/@me", "")
	r.call(204, "PUT", "/channels/{thread}/thread-members/{ana}", "")
	r.call(200, "GET", "/channels/{thread}/thread-members?with_member=true&limit=10", "")
	r.call(200, "GET", "/channels/{thread}/thread-members/{ana}", "")
	r.call(204, "DELETE", "/channels/{thread}/thread-members/{ana}", "")
	r.call(204, "DELETE", "/channels/{thread}/thread-members/@me", "")
	r.call(200, "GET", "/guilds/{g}/threads/active", "")
	for _, id := range []string{"private", "public", "post"} {
		r.call(200, "PATCH", "/channels/{"+id+"}", `{"archived":true}`)
	}
	r.call(200, "GET", "/channels/{text}/threads/archived/public?limit=10", "")
	r.call(200, "GET", "/channels/{text}/threads/archived/private?before="+url.QueryEscape(later()), "")
	r.call(200, "GET", "/channels/{text}/users/@me/threads/archived/private", "")
	r.call(200, "DELETE", "/channels/{public}", "")
	r.keep("fhook", r.call(200, "POST", "/channels/{forum}/webhooks", `{"name":"restorer"}`))
	r.keep("fpost", r.call(200, "POST", "/webhooks/{fhook}/{fhookToken}?wait=true", `{"content":"again","thread_name":"restored","applied_tags":["{tag}"]}`))
	r.call(200, "POST", "/webhooks/{fhook}/{fhookToken}?wait=true&thread_id={fpost}", `{"content":"and again"}`)
	r.call(200, "GET", "/webhooks/{fhook}/{fhookToken}/messages/{fpost}?thread_id={fpost}", "")
}

func (r *rest) pins() {
	r.call(204, "PUT", "/channels/{text}/messages/pins/{starter}", "")
	r.call(200, "GET", "/channels/{text}/messages/pins?limit=1", "")
	r.call(204, "DELETE", "/channels/{text}/messages/pins/{starter}", "")
	r.call(204, "PUT", "/channels/{text}/pins/{starter}", "")
	if list := r.call(200, "GET", "/channels/{text}/pins", "").([]any); len(list) != 1 {
		r.t.Errorf("%d pins", len(list))
	}
	r.call(204, "DELETE", "/channels/{text}/pins/{starter}", "")
	r.call(200, "GET", "/channels/{text}/messages?limit=100", "") // notes of Discord are among them
}

func (r *rest) expressions() {
	r.keep("emoji", r.call(201, "POST", "/guilds/{g}/emojis", `{"name":"sus","image":"{png}","roles":["{role}"]}`))
	r.call(200, "PATCH", "/guilds/{g}/emojis/{emoji}", `{"name":"very_sus","roles":[]}`)
	r.call(200, "GET", "/guilds/{g}/emojis", "")
	r.call(200, "GET", "/guilds/{g}/emojis/{emoji}", "")
	r.keep("sticker", r.upload(201, "POST", "/guilds/{g}/stickers", part{name: "name", data: "wave"}, part{name: "tags", data: "👋"},
		part{name: "description", data: "hello"}, part{"file", "wave.png", "image/png", pixelBytes()}))
	r.call(200, "PATCH", "/guilds/{g}/stickers/{sticker}", `{"name":"waves","description":null}`)
	r.call(200, "GET", "/guilds/{g}/stickers", "")
	r.call(200, "GET", "/guilds/{g}/stickers/{sticker}", "")
	r.call(200, "GET", "/stickers/{sticker}", "")
	made := r.call(201, "POST", "/guilds/{g}/soundboard-sounds", `{"name":"horn","volume":0.5,"emoji_name":"📯","sound":"data:audio/ogg;base64,T2dnUw=="}`)
	r.names["sound"] = made.(map[string]any)["sound_id"].(string)
	r.call(200, "PATCH", "/guilds/{g}/soundboard-sounds/{sound}", `{"name":"air horn","volume":1,"emoji_id":"{emoji}"}`)
	r.call(200, "GET", "/guilds/{g}/soundboard-sounds", "")
	r.call(200, "GET", "/guilds/{g}/soundboard-sounds/{sound}", "")
	r.call(200, "GET", "/guilds/{g}", "")
}

// files reads everything from the CDN that the calls before uploaded, and takes it away.
func (r *rest) files() {
	guild := r.call(200, "GET", "/guilds/{g}", "").(map[string]any)
	r.names["icon"] = guild["icon"].(string)
	sent := r.upload(200, "POST", "/channels/{text}/messages", part{name: "payload_json", data: `{"content":"look","attachments":[{"id":0,"description":"a dot"}]}`},
		part{"files[0]", "dot.png", "image/png", pixelBytes()}, part{"files[1]", "what/ever?.txt", "text/plain", "text"})
	r.keep("withFiles", sent)
	sent = r.call(200, "GET", "/channels/{text}/messages/{withFiles}", "")
	want := map[string]string{
		"/icons/{g}/{icon}.png": pixelBytes(), "/emojis/{emoji}.png": pixelBytes(), "/stickers/{sticker}.png": pixelBytes(),
		"/soundboard-sounds/{sound}": "OggS",
	}
	files := sent.(map[string]any)["attachments"].([]any)
	for i, data := range []string{pixelBytes(), "text"} {
		want[files[i].(map[string]any)["url"].(string)] = data
	}
	if d := files[0].(map[string]any); d["width"] != 1.0 || d["description"] != "a dot" {
		r.t.Errorf("attachment %v", d)
	}
	root := strings.TrimSuffix(r.base, "/api/v10")
	for path, data := range want {
		if strings.HasPrefix(path, "/") {
			path = root + path
		}
		if status, got := r.fetch(path); status != 200 || got != data {
			r.t.Errorf("%s: %d %q", path, status, got)
		}
	}
	signed := files[1].(map[string]any)["url"].(string)
	renewed := r.w.do(request{method: "POST", path: "/attachments/refresh-urls", body: string(rawJSON(Fields{"attachment_urls": []string{signed}}))})
	if renewed.Status != 200 {
		r.t.Errorf("refresh: %d %s", renewed.Status, renewed.Body)
	}
	plain, _, _ := strings.Cut(signed, "?")
	for _, path := range []string{plain, strings.Replace(signed, "hm=", "hm=0", 1), strings.Replace(signed, "ex=", "ex=f", 1), root + r.fill("/icons/{g}/0000.png"), root + "/emojis/7.png", root + "/attachments/"} {
		if status, got := r.fetch(path); status != 404 {
			r.t.Errorf("%s: %d %q", path, status, got)
		}
	}
	r.call(204, "DELETE", "/guilds/{g}/emojis/{emoji}", "")
	r.call(204, "DELETE", "/guilds/{g}/stickers/{sticker}", "")
	r.call(204, "DELETE", "/guilds/{g}/soundboard-sounds/{sound}", "")
}

func (r *rest) fetch(path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get(r.fill(path))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))(r.t))
}

func pixelBytes() string {
	var bad formErrors
	return string(asData(1<<20, imageKind)(&bad, "", rawJSON(pixel)).data)
}
