package broker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// crowd is the capture clients of a load process.
type crowd struct {
	clients []*loadClient
	pongs   atomic.Int64
	lost    atomic.Int64
}

func (c *crowd) carryOut(o loadOrder) (loadReport, error) {
	switch o.Do {
	case "connect":
		return loadReport{}, c.connect(o)
	case "send":
		return c.send(o)
	case "churn":
		return c.churn(o)
	case "close":
		for _, k := range c.clients {
			k.close()
		}
		c.clients = nil
		return loadReport{}, nil
	}
	return loadReport{}, fmt.Errorf("%q is no order", o.Do)
}

// loadClient is one client: websocket, Engine.IO 3, as lean as possible.
type loadClient struct {
	code    string
	ws      *websocket.Conn
	closing atomic.Bool
	sent    int // events

	mu   sync.Mutex
	seen int // events whose elements were popped, if this client is sampled
}

// codeOfClient makes a connect code: six letters of its number after a letter for the crowd.
func codeOfClient(n int) string {
	b := []byte("LAAAAAAA")
	for i := len(b) - 1; i > 0; i, n = i-1, n/26 {
		b[i] = 'A' + byte(n%26)
	}
	return string(b)
}

// dialers bounds how many clients connect at a time.
const dialers = 32

func (c *crowd) connect(o loadOrder) error {
	first := len(c.clients)
	c.clients = append(c.clients, make([]*loadClient, o.Clients)...)
	var wg sync.WaitGroup
	errs := make(chan error, dialers)
	next := make(chan int, o.Clients)
	for i := range o.Clients {
		next <- first + i
	}
	close(next)
	for range dialers {
		wg.Go(func() {
			for i := range next {
				k, err := c.join(o.Addr, codeOfClient(i), o.Bot)
				if err != nil {
					errs <- err
					return
				}
				c.clients[i] = k
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs // nil when there is none
}

var loadBuffers = &sync.Pool{}

// join connects one client and waits until its connect code, and its bot, are accepted,
// which it asks to be acknowledged.
func (c *crowd) join(addr, code string, bot bool) (*loadClient, error) {
	d := websocket.Dialer{ReadBufferSize: 256, WriteBufferSize: 512, WriteBufferPool: loadBuffers, HandshakeTimeout: 30 * time.Second}
	ws, resp, err := d.Dial("ws://"+addr+"/socket.io/?EIO=3&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	k := &loadClient{code: code, ws: ws}
	say := []string{"40", `421["connectCode","` + code + `"]`}
	until := "431[]"
	if bot {
		say, until = append(say, `422["botID",987654321098765432]`), "432[]"
	}
	for _, s := range say {
		if err := k.write(s); err != nil {
			return nil, err
		}
	}
	if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return nil, fmt.Errorf("before %s was accepted: %w", code, err)
		}
		if string(data) == until {
			break
		}
	}
	if err := ws.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	go c.read(k)
	return k, nil
}

func (c *crowd) read(k *loadClient) {
	for {
		_, data, err := k.ws.ReadMessage()
		if err != nil {
			if !k.closing.Load() {
				c.lost.Add(1)
			}
			return
		}
		if len(data) == 1 && data[0] == '3' {
			c.pongs.Add(1)
		}
	}
}

// write sends one text frame. It goes around the library: a mask of zeros lets the text
// stay as it is, and the load costs less.
func (k *loadClient) write(text string) error {
	var head [8]byte
	frame := append(head[:0], 0x81)
	if len(text) < 126 {
		frame = append(frame, 0x80|byte(len(text)))
	} else {
		frame = append(frame, 0x80|126, byte(len(text)>>8), byte(len(text)))
	}
	frame = append(append(frame, 0, 0, 0, 0), text...)
	_, err := k.ws.NetConn().Write(frame)
	return err
}

// event sends the client's next event, as long as a real one, with its number and time.
func (k *loadClient) event() error {
	k.sent++
	return k.write(fmt.Sprintf(`42["player","{\u0022Action\u0022:6,\u0022Name\u0022:\u0022%s\u0022,\u0022IsDead\u0022:false,\u0022Disconnected\u0022:false,\u0022Color\u0022:3,\u0022n\u0022:%d,\u0022t\u0022:%d}"]`,
		k.code, k.sent, time.Now().UnixNano()))
}

func (k *loadClient) close() {
	k.closing.Store(true)
	_ = k.ws.Close() // the server sees it all the same
}

// send makes the clients send and ping for a while, and waits for what is sampled.
func (c *crowd) send(o loadOrder) (loadReport, error) {
	sampled := c.clients[:min(o.Sample, len(c.clients))]
	pops := newPops(o.Redis)
	defer pops.stop()
	for _, k := range sampled {
		k.seen = k.sent
		pops.watch(k)
	}
	var r loadReport
	before := c.pongs.Load()
	if err := c.pump(o, &r); err != nil {
		return r, err
	}
	for _, k := range sampled {
		r.Seen, r.Unseen = r.Seen+k.sent, r.Unseen+k.sent
	}
	pops.await(sampled)
	for _, k := range sampled {
		r.Unseen -= k.popped()
	}
	r.Pongs, r.Lost = int(c.pongs.Load()-before), int(c.lost.Load())
	pops.summary(&r)
	return r, nil
}

// pump keeps to the schedule: it does not wait for the server, and what it could not send
// in time it sends at once.
func (c *crowd) pump(o loadOrder, r *loadReport) error {
	pings := 0.0
	if o.PingEvery > 0 {
		pings = float64(len(c.clients)) / o.PingEvery.Seconds()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for {
		<-tick.C
		past := time.Since(start)
		over := past >= o.For
		past = min(past, o.For)
		for due := int(past.Seconds() * o.Rate); r.Sent < due; r.Sent++ {
			scheduled := start.Add(time.Duration(float64(r.Sent) / o.Rate * float64(time.Second)))
			r.Behind = max(r.Behind, time.Since(scheduled))
			if err := c.clients[r.Sent%len(c.clients)].event(); err != nil {
				return err
			}
		}
		for due := int(past.Seconds() * pings); r.Pings < due; r.Pings++ {
			if err := c.clients[r.Pings%len(c.clients)].write("2"); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
	}
}

// churn has connections come and go at a rate: each names its code, sends three events
// and leaves a little later, in turn as C# clients do, by a close frame, or by a reset.
func (c *crowd) churn(o loadOrder) (loadReport, error) {
	var r loadReport
	var wg sync.WaitGroup
	errs := make(chan error, 1)
	tick := time.NewTicker(time.Duration(float64(time.Second) / o.Rate))
	defer tick.Stop()
	// The number is kept, not the time: on a slow machine it takes longer.
	for all := int(o.Rate * o.For.Seconds()); r.Sent < all; r.Sent++ {
		<-tick.C
		n := r.Sent
		wg.Go(func() {
			if err := c.visit(o.Addr, n); err != nil {
				select {
				case errs <- err:
				default:
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return r, err
	default:
		return r, nil
	}
}

// visit is one connection of a churn. Codes come back, so some take over from others.
func (c *crowd) visit(addr string, n int) error {
	k, err := c.join(addr, codeOfClient(1_000_000+n%500), n%2 == 0)
	if err != nil {
		return err
	}
	defer k.close()
	k.closing.Store(true)
	for range 3 {
		if err := k.event(); err != nil {
			return err
		}
	}
	stay := time.NewTimer(time.Duration(n%300) * time.Millisecond)
	defer stay.Stop()
	<-stay.C
	switch n % 4 {
	case 0:
		return k.write("41")
	case 1:
		return k.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	case 2:
		return lingerNot(k.ws)
	}
	return nil // the socket just ends
}

// lingerNot makes the close a reset.
func lingerNot(ws *websocket.Conn) error {
	if t, ok := ws.NetConn().(interface{ SetLinger(int) error }); ok {
		return t.SetLinger(0)
	}
	return errors.New("not a TCP connection")
}
