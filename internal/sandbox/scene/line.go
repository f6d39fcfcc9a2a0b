package scene

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// line is one connection of a capture client.
type line struct {
	c      *Capture
	conn   *websocket.Conn
	ctx    context.Context // of the connection
	open   bool            // the open packet came; only the reader looks
	ping   chan time.Duration
	resync chan struct{}
}

// read takes frames one at a time until the connection ends. A wish is carried out before the next frame is read, which is
// how the real client paces its server.
func (l *line) read() error {
	for {
		kind, data, err := l.conn.Read(l.ctx)
		if err != nil {
			return fmt.Errorf("the connection to the broker ended: %w", err)
		}
		if kind != websocket.MessageText {
			continue // the client knows no binary events
		}
		if err := l.frame(string(data)); err != nil {
			return err
		}
	}
}

func (l *line) frame(f string) error {
	switch {
	case strings.HasPrefix(f, "0"):
		return l.opened(f)
	case f == "40":
		return l.connected()
	case strings.HasPrefix(f, "41"):
		return fmt.Errorf("the broker ended the session")
	case strings.HasPrefix(f, "42"):
		return l.event(f)
	}
	return nil // pongs, a close packet, 40 with more text: the client looks at none of them
}

// opened reads the open packet by its first characters, as the C# library does: if sid does not come first, it is not
// recognised, no ping is ever sent, and the server ends the connection a minute later.
func (l *line) opened(f string) error {
	if !strings.HasPrefix(f, `0{"sid":"`) {
		return nil
	}
	var o struct {
		PingInterval int32 `json:"pingInterval"`
		PingTimeout  int32 `json:"pingTimeout"`
	}
	if err := json.Unmarshal([]byte(f[1:]), &o); err != nil || o.PingInterval <= 0 {
		return fmt.Errorf("the broker's open packet has no usable ping interval: %.120q", f)
	}
	l.open = true
	select {
	case l.ping <- time.Duration(o.PingInterval) * time.Millisecond:
	default: // a second open packet changes nothing
	}
	return l.write("40")
}

// connected answers the server's 40, every one of them.
func (l *line) connected() error {
	c := l.c
	if err := l.write(eventFrame(eventConnectCode, c.cfg.Code)); err != nil {
		return err
	}
	if c.cfg.Bot != nil {
		// A number beyond 2^53, bare as it is.
		if err := l.write(`42["` + eventBotID + `",` + strconv.FormatUint(c.cfg.Bot.ID, 10) + `]`); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.line = l
	c.mu.Unlock()
	select {
	case l.resync <- struct{}{}:
	default: // one is due already
	}
	return nil
}

func (l *line) event(f string) error {
	event, arg, err := parseEvent(f)
	if err != nil {
		return err
	}
	switch event {
	case eventKillSelf:
		return ErrKilled
	case eventRequestData:
		select {
		case l.resync <- struct{}{}:
		default:
		}
	case eventModify:
		return l.modify(argText(arg))
	}
	return nil
}

func (l *line) modify(arg string) error {
	var t modifyTask
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return nil // a wish that cannot be read has no id to answer
	}
	start := time.Now()
	ok := l.c.mute(l.ctx, t)
	answer := eventTaskFailed
	if ok {
		answer = eventTaskComplete
	}
	if err := l.write(eventFrame(answer, t.ID)); err != nil {
		return err
	}
	if l.c.cfg.Task != nil {
		l.c.cfg.Task(ok, time.Since(start))
	}
	return nil
}

// clock pings and resends the game when they are due.
func (l *line) clock() {
	var ping, due <-chan time.Time
	for {
		select {
		case every := <-l.ping:
			ping = time.Tick(every)
		case <-ping:
			_ = l.write("2") // the reader sees a broken connection too
		case <-l.resync:
			due = time.After(l.c.cfg.Poll)
		case <-due:
			due = nil
			l.c.catchUp(l)
		case <-l.ctx.Done():
			return
		}
	}
}

// poll writes the events of one look at the game. Call it with the client's lock held.
func (l *line) poll(p Poll) error {
	for _, e := range p.Exiled {
		if err := l.send(eventPlayer, e); err != nil {
			return err
		}
	}
	if p.State != nil {
		if err := l.sendText(eventState, strconv.Itoa(int(*p.State))); err != nil {
			return err
		}
	}
	if p.Lobby != nil {
		if err := l.send(eventLobby, p.Lobby); err != nil {
			return err
		}
	}
	if p.GameOver != nil {
		if err := l.send(eventGameOver, p.GameOver); err != nil {
			return err
		}
	}
	for _, e := range p.Players {
		if err := l.send(eventPlayer, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) send(event string, content any) error {
	text, err := plainJSON(content)
	if err != nil {
		return err
	}
	return l.sendText(event, text)
}

func (l *line) sendText(event, text string) error {
	if err := l.write(eventFrame(event, text)); err != nil {
		return err
	}
	if l.c.cfg.Sent != nil {
		l.c.cfg.Sent(event, text)
	}
	return nil
}

func (l *line) write(frame string) error {
	ctx, cancel := context.WithTimeout(l.ctx, 10*time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, []byte(frame))
}
