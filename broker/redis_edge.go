package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// cursorKey says how far CAPTURE has been written to this Redis: "<epoch>:<sequence>".
// It is the only key of our own, and moves in the same step as what it speaks of.
const cursorKey = "splashtail:capture:cursor"

// maxListLen bounds a list that nobody pops: the oldest elements go. It is far above
// what a game makes in the hour that a list lives.
const maxListLen = 50_000

// pushScript writes a group of events in one atomic step.
//
// KEYS[1] is the cursor. ARGV: 1 the epoch, 2 the sequence that the cursor should have
// reached (the one before the first event), 3 the bound of a list, then four for each
// event: sequence, what to do, connect code, text.
//
// The cursor is written before anything else: if Redis refuses writes (out of memory,
// read only) it does so there, and nothing has happened; once one write was let through
// the script is. Events up to the cursor are passed over, so a group may come again. A
// cursor that is behind means that Redis has lost writes together with their effects;
// the answer says from where to write again.
//
// It answers the sequence to go on after, how many events were written, how many keys
// of another type stood in the way, and how many elements a full list lost.
const pushScript = `
local epoch, prev, bound = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at = prev
local cursor = redis.call('GET', KEYS[1])
if cursor then
  local sep = string.find(cursor, ':', 1, true)
  if sep and string.sub(cursor, 1, sep - 1) == epoch then
    at = tonumber(string.sub(cursor, sep + 1)) or prev
  end
end
if at < prev then
  return {at, 0, 0, 0}
end
local last = tonumber(ARGV[#ARGV - 3])
if last <= at then
  return {at, 0, 0, 0}
end
redis.call('SET', KEYS[1], epoch .. ':' .. ARGV[#ARGV - 3])
local written, failed, lost = 0, 0, 0
local function try(...)
  local r = redis.pcall(...)
  if type(r) == 'table' and r.err then
    failed = failed + 1
    return nil
  end
  return r
end
for i = 4, #ARGV, 4 do
  if tonumber(ARGV[i]) > at then
    local what, code, text = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local ready = 'automuteus:capture:muteready:' .. code
    local room = 'automuteus:roomcode:' .. code
    written = written + 1
    if what == 'ready' then
      try('SET', ready, '1', 'EX', 900)
    elseif what == 'unready' then
      try('DEL', ready)
    elseif string.sub(what, 1, 5) == 'room:' then
      try('SET', room, string.sub(what, 6), 'EX', 900)
      try('EXPIRE', ready, 900)
    elseif what == 'play' then
      try('EXPIRE', room, 900)
      try('EXPIRE', ready, 900)
    elseif what == 'reset' then
      try('DEL', ready)
    end
    if text ~= '' then
      local list = 'automuteus:jobs:' .. code
      local n = try('RPUSH', list, text)
      if n == 1 then
        try('EXPIRE', list, 3600)
      elseif n and n > bound then
        try('LTRIM', list, -bound, -1)
        lost = lost + n - bound
      end
      try('PUBLISH', list .. ':notify', '1')
    end
  end
end
return {last, written, failed, lost}
`

// redisEdge is what the edge needs of Redis.
type redisEdge struct {
	rdb    *redis.Client
	script *redis.Script
}

func newRedisEdge(rdb *redis.Client) *redisEdge {
	return &redisEdge{rdb: rdb, script: redis.NewScript(pushScript)}
}

// cursor reads how far this Redis is; ok is false when it has no cursor.
func (r *redisEdge) cursor(ctx context.Context) (c cursor, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	text, err := r.rdb.Get(ctx, cursorKey).Result()
	if errors.Is(err, redis.Nil) {
		return cursor{}, false, nil
	}
	if err != nil {
		return cursor{}, false, err
	}
	epoch, seq, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return cursor{}, false, nil // not ours; it will be written anew
	}
	return cursor{epoch, n}, true, nil
}

// setCursor writes a cursor over whatever is there.
func (r *redisEdge) setCursor(ctx context.Context, c cursor) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return r.rdb.Set(ctx, cursorKey, c.String(), 0).Err()
}

// push writes a group. prev is where the cursor should be. An error means that Redis
// did not confirm it; it may be written or not, and pushing again is safe.
func (r *redisEdge) push(ctx context.Context, epoch string, prev uint64, group []step) (pushed, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*redisTimeout)
	defer cancel()
	args := make([]any, 0, 3+4*len(group))
	args = append(args, epoch, prev, maxListLen)
	for _, s := range group {
		args = append(args, s.seq, s.do, s.code, s.element)
	}
	res, err := r.script.Run(ctx, r.rdb, []string{cursorKey}, args...).Int64Slice()
	if err != nil {
		return pushed{}, err
	}
	if len(res) != 4 || res[0] < 0 {
		return pushed{}, fmt.Errorf("the script in Redis answered %v", res)
	}
	return pushed{at: uint64(res[0]), written: int(res[1]), failed: int(res[2]), lost: int(res[3])}, nil
}

// ping says whether Redis answers.
func (r *redisEdge) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return r.rdb.Ping(ctx).Err()
}
