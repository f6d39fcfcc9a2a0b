package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzReadFrame holds the reader against encoding/json: the same envelope, and d byte
// for byte.
func FuzzReadFrame(f *testing.F) {
	for _, seed := range []string{
		`{"t":"GUILD_CREATE","s":2,"op":0,"d":{"id":"812345678901234567","guild_id":"1"}}`,
		`{"op":0,"d":{"x":{"guild_id":"9"},"guild_id":812345678901234567},"t":"MESSAGE_CREATE","s":9007199254740993}`,
		`{"t":null,"s":null,"op":11,"d":null}`, `{"op":9,"d":true}`, `{"op":10,"d":{"heartbeat_interval":41250}}`,
		`{"op":"0"}`, `{"op":1.5}`, `{}`, `[]`, `null`, `{"op":0,"d":{"guild_id":"0"}}`, `{"op":0,"op":1}`, ``, `{"op":0,`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readFrame(data)
		var top map[string]json.RawMessage
		if uerr := json.Unmarshal(data, &top); (uerr != nil || top == nil) && err == nil {
			t.Fatalf("%q was read: %+v", data, got)
		}
		if err != nil {
			return
		}
		if want, _ := strconv.Atoi(string(top["op"])); got.op != want || !bytes.Equal(got.d, top["d"]) {
			t.Errorf("op %d d %q of %q", got.op, got.d, data)
		}
		if got.guild == 0 {
			return
		}
		var d map[string]json.RawMessage
		if err := json.Unmarshal(top["d"], &d); err != nil {
			t.Fatalf("guild %d of %q", got.guild, data)
		}
		key := "guild_id"
		if got.event == "GUILD_CREATE" || got.event == "GUILD_UPDATE" || got.event == "GUILD_DELETE" {
			key = "id"
		}
		if id := got.guild.String(); string(d[key]) != id && string(d[key]) != `"`+id+`"` {
			var text string
			if json.Unmarshal(d[key], &text) != nil || text != id {
				t.Errorf("guild %s of %q", id, data)
			}
		}
	})
}

// TestInflateReadsMessageByMessage: each flushed message comes out whole when it has
// come in, whatever its size is in relation to the blocks of the format.
func TestInflateReadsMessageByMessage(t *testing.T) {
	var wire bytes.Buffer
	enc, err := zstd.NewWriter(&wire, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10))
	if err != nil {
		t.Fatal(err)
	}
	var z inflater
	defer z.close()
	sizes := []int{0, 1, 2, 1000, 64 << 10, 128<<10 - 1, 128 << 10, 128<<10 + 1, 256 << 10, 3 << 20, 5}
	for range 400 {
		sizes = append(sizes, rand.N(4000))
	}
	for i, size := range sizes {
		want := make([]byte, size)
		for k := range want {
			want[k] = byte(rand.N(16)) + 'a'
		}
		if i%2 == 0 {
			want = bytes.Repeat([]byte("x"), size)
		}
		wire.Reset()
		if _, err := enc.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := enc.Flush(); err != nil {
			t.Fatal(err)
		}
		got, err := z.inflate(wire.Bytes())
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("message %d of %d bytes: %d bytes, %v", i, size, len(got), err)
		}
	}
	if _, err := z.inflate([]byte("no zstd")); err == nil {
		t.Error("garbage was read")
	}
}

// TestInflateHasABound: a message of a few kilobytes does not become gigabytes.
func TestInflateHasABound(t *testing.T) {
	var wire bytes.Buffer
	enc, err := zstd.NewWriter(&wire, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 80 {
		if _, err := enc.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	var z inflater
	defer z.close()
	if out, err := z.inflate(wire.Bytes()); err != errInflated {
		t.Errorf("%d bytes became %d: %v", wire.Len(), len(out), err)
	}
}

func BenchmarkReadFrame(b *testing.B) {
	data := fmt.Appendf(nil, `{"t":"MESSAGE_CREATE","s":4711,"op":0,"d":{"content":%q,"author":{"id":"1","username":"x"},"embeds":[],"guild_id":"812345678901234567"}}`, bytes.Repeat([]byte("word "), 150))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := readFrame(data); err != nil {
			b.Fatal(err)
		}
	}
}
