package downstream

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
)

// lossy is a world whose server dies with the process and takes the newest events along.
type lossy struct {
	*world
	cfg  bus.Config
	kept string // a copy of the stream
	stop func() // what reads the guilds
}

// newLossy has the guilds 1 and 2<<22 on two shards.
func newLossy(t *testing.T) *lossy {
	t.Helper()
	l := &lossy{world: &world{t: t, shards: 2, seqs: map[int]int64{}, upName: "up1"}, cfg: bustest.Config(t), kept: filepath.Join(t.TempDir(), "kept")}
	l.open()
	l.begin(guildA, guildB)
	info := must[bus.StreamInfo](t)(bus.InfoOf(t.Context(), l.b, bus.AllDispatches()))
	readies := must[*bus.Records[bus.ShardReady]](t)(bus.OpenRecords(t.Context(), l.b, bus.ShardReadies()))
	page, _, err := bus.ReadPage(t.Context(), l.b, bus.DispatchesNamed("READY"), 1, l.shards)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page { // as upstream does, for processes that come later
		r := bus.ShardReady{V: 1, Epoch: info.Epoch, Stream: m.Seq, Data: m.Value.Data, At: time.Now()}
		must[uint64](t)(readies.Put(t.Context(), bus.UpstreamKey(l.shards, m.Value.Shard), r))
	}
	return l
}

const (
	guildA = bus.GuildID(2 << 22) // of shard 0
	guildB = bus.GuildID(1 << 22) // of shard 1
)

func (l *lossy) open() {
	l.t.Helper()
	l.b = bustest.Open(l.t, l.cfg)
	l.store = guilds.New(guilds.Config{Instance: "test"}, l.b, bustest.Log(l.t))
	l.stop = running(l.t, l.store.Run)
	select {
	case <-l.store.Ready():
	case <-time.After(patience):
		l.t.Fatal("the guilds are not ready")
	}
}

func (l *lossy) close(s *service) {
	l.t.Helper()
	if s != nil {
		s.cutAll()
		s.stop()
	}
	l.stop()
	bustest.Close(l.t, l.b)
}

func (l *lossy) dir() string {
	l.t.Helper()
	found, err := filepath.Glob(filepath.Join(l.cfg.StoreDir, "*", "*", "streams", "DISPATCH"))
	if err != nil || len(found) != 1 {
		l.t.Fatalf("the stream is not on disk: %v %v", found, err)
	}
	return found[0]
}

// keep copies the stream as it is now.
func (l *lossy) keep(s *service) *service {
	l.t.Helper()
	l.close(s)
	must[struct{}](l.t)(struct{}{}, os.RemoveAll(l.kept))
	must[struct{}](l.t)(struct{}{}, os.CopyFS(l.kept, os.DirFS(l.dir())))
	l.open()
	return l.serve()
}

// lose takes out of the stream what came since keep. The records stay, they are synced.
func (l *lossy) lose(s *service) {
	l.t.Helper()
	l.close(s)
	dir := l.dir()
	must[struct{}](l.t)(struct{}{}, os.RemoveAll(dir))
	must[struct{}](l.t)(struct{}{}, os.CopyFS(dir, os.DirFS(l.kept)))
	l.open()
}

// message stores a message as the event of a shard with a sequence; its content says so.
func (l *lossy) message(shard int, seq int64) {
	l.t.Helper()
	guild := []bus.GuildID{guildA, guildB}[shard]
	l.seqs[shard] = seq - 1
	l.emit(shard, guild, "MESSAGE_CREATE", messageJSON(guild, fmt.Sprint(1000*shard+int(seq))))
}

// expect reads messages in this order.
func (b *bot) expect(want ...int) {
	b.t.Helper()
	if got := b.numbers(len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Fatalf("the bot has %v, want %v", got, want)
	}
}

const messages = gateway.IntentGuildMessages | gateway.IntentMessageContent

// TestTheNewestEventsComeInAnotherOrder: a bot over two shards has events that are lost with
// the server. They are stored again, those of one shard before those of the other, and so
// at other places: the bot gets each of them once, also when all that happens again.
func TestTheNewestEventsComeInAnotherOrder(t *testing.T) {
	l := newLossy(t)
	s := l.serve()
	b := connect(t, s.url)
	b.identify(messages, "")
	l.message(0, 3)
	b.expect(3)
	s = l.keep(s)
	b = l.comeBack(s, b)
	for _, m := range []struct{ shard, seq int }{{0, 4}, {1, 3}, {0, 5}, {1, 4}} {
		l.message(m.shard, int64(m.seq))
	}
	b.expect(4, 1003, 5) // and not 1004
	l.lose(s)
	for _, m := range []struct{ shard, seq int }{{1, 3}, {1, 4}, {1, 5}, {0, 4}} {
		l.message(m.shard, int64(m.seq)) // and 5 of shard 0 comes later
	}
	s = l.serve()
	b = l.comeBack(s, b, 1004, 1005)
	l.message(0, 5)
	l.message(0, 6)
	b.expect(6)
	l.lose(s)
	for _, m := range []struct{ shard, seq int }{{0, 4}, {0, 5}, {0, 6}, {0, 7}, {1, 3}} {
		l.message(m.shard, int64(m.seq))
	}
	s = l.serve()
	b = l.comeBack(s, b, 7)
	for _, m := range []struct{ shard, seq int }{{1, 4}, {1, 5}, {1, 6}} {
		l.message(m.shard, int64(m.seq))
	}
	b.expect(1006)
	b = l.comeBack(s, b) // numbers behind a loss are as good as any
	l.message(0, 8)
	b.expect(8)
}

// comeBack resumes the session of a bot and reads what it lacks.
func (l *lossy) comeBack(s *service, was *bot, want ...int) *bot {
	l.t.Helper()
	_ = was.ws.CloseNow()
	b := connect(l.t, s.url)
	b.resume(was)
	b.expect(want...)
	if g := b.read(); g.event() != "RESUMED" {
		l.t.Fatalf("%s came where RESUMED belongs", g.raw)
	}
	return b
}

// TestAnOrderThatIsNotKnown: what a bot had of lost events cannot be told, so that it must
// begin anew, and is not left with a gap.
func TestAnOrderThatIsNotKnown(t *testing.T) {
	l := newLossy(t)
	s := l.serve()
	b := connect(t, s.url)
	b.identify(messages, "")
	s = l.keep(s)
	b = l.comeBack(s, b)
	l.message(0, 3)
	l.message(1, 3)
	b.expect(3, 1003)
	found := must[bus.Entry[bus.DownstreamSession]](t)(s.records.Get(t.Context(), b.session))
	l.lose(s)
	s = l.serve()
	found.Value.Order.After, found.Value.Order.Events = 0, found.Value.Order.Events[len(found.Value.Order.Events)-1:]
	must[uint64](t)(s.records.PutFor(t.Context(), b.session, found.Value, time.Minute))
	again := connect(t, s.url)
	again.resume(b)
	for g := again.read(); g.Op != gateway.OpInvalidSession; g = again.read() {
		if g.Op == gateway.OpDispatch {
			t.Fatal(g.raw)
		}
	}
}

// TestOrders: an order keeps what can be lost, and the newest event that cannot.
func TestOrders(t *testing.T) {
	var o order
	now := time.Now()
	for i := range 10 {
		o.add(ordered{uint64(10 + i), "s", int64(i + 1), now.Add(time.Duration(i) * time.Second)}, 9)
	}
	o.prune(now.Add(5*time.Second + lossWindow))
	if o.after != 0 || o.events[0].place != 14 || len(o.events) != 6 {
		t.Errorf("kept is %+v", o)
	}
	if o.add(o.events[2], 0) {
		t.Error("an event is noted twice")
	}
	if again := orderOf(o.record(), now); len(again.events) != 6 || again.events[5].seq != 10 || again.events[5].session != "s" {
		t.Errorf("on record is %+v", again)
	}
	o.cut(17)
	if last := o.events[len(o.events)-1]; last.place != 17 {
		t.Errorf("the last is %+v", last)
	}
	o.cut(5)
	if len(o.events) != 0 || o.after != 5 {
		t.Errorf("nothing is left of %+v", o)
	}
	for i := range 3 * maxOrder {
		o.add(ordered{uint64(100 + i), fmt.Sprint(i % 3), int64(i), now}, 99)
	}
	if o.prune(now); len(o.events) != maxOrder {
		t.Errorf("%d events are kept", len(o.events))
	}
}
