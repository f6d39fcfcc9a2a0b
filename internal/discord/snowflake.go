package discord

import "time"

// epoch is the start of the time in snowflakes, in Unix milliseconds.
const epoch = 1420070400000

// SnowflakeTime is when an id was made, to the millisecond.
func SnowflakeTime(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + epoch) }

// SnowflakeAt is the smallest id that can be made at an instant: all that were made before
// it are smaller. The instant is not before 2015.
func SnowflakeAt(at time.Time) uint64 { return uint64(at.UnixMilli()-epoch) << 22 }
