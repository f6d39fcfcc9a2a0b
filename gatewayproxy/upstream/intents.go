package upstream

// Intents of Discord's gateway that need a switch in the developer portal.
const (
	intentMembers   = 1 << 1
	intentPresences = 1 << 8
	intentContent   = 1 << 15
)

// unprivileged are all the others that exist.
const unprivileged = 1<<0 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<9 | 1<<10 | 1<<11 | 1<<12 | 1<<13 | 1<<14 |
	1<<16 | 1<<20 | 1<<21 | 1<<24 | 1<<25

// Flags of an application that say that it may have a privileged intent, in full or
// because it is small.
const (
	flagsMembers = 1<<14 | 1<<15
	flagsContent = 1<<18 | 1<<19
)

// defaultIntents are what the components and most bots need: everything that is free,
// and members and what messages say where the application may see them. Presences are
// most of the traffic and nobody here reads them. It also names what is left out.
func defaultIntents(appFlags uint64) (intents uint64, without []string) {
	intents = unprivileged
	if appFlags&flagsMembers != 0 {
		intents |= intentMembers
	} else {
		without = append(without, "server members")
	}
	if appFlags&flagsContent != 0 {
		intents |= intentContent
	} else {
		without = append(without, "message content")
	}
	return intents, without
}
