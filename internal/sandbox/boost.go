package sandbox

import "fmt"

// SetBoosts sets the level of boosts of a guild, 0 to 3, with the features that come with it: it decides how many emojis,
// stickers and sounds there may be, how good voice may sound, and which pictures and role icons a guild may have.
func (d *Discord) SetBoosts(guildID ID, tier int) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		if tier < 0 || tier > 3 {
			return 0, fmt.Errorf("sandbox: there is no boost level %d; guild %s stays at %d", tier, guildID, g.tier)
		}
		g.tier = tier
		g.set.features = mixTier(g.set.features, tier)
		d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
		return 0, nil
	})
	return err
}

// tierFeatures are the features of each level, in the order of the levels that bring them.
func tierFeatures() [4][]string {
	return [4][]string{
		1: {"ANIMATED_ICON", "INVITE_SPLASH"},
		2: {"BANNER", "ROLE_ICONS"},
		3: {"ANIMATED_BANNER", "ENHANCED_ROLE_COLORS", "VANITY_URL"},
	}
}

func mixTier(features []string, tier int) []string {
	have := map[string]bool{}
	for _, f := range features {
		have[f] = true
	}
	for level, list := range tierFeatures() {
		for _, f := range list {
			have[f] = level <= tier
		}
	}
	out := []string{}
	for _, f := range sortedKeys(have) {
		if have[f] {
			out = append(out, f)
		}
	}
	return out
}

// boosts is how many boosts a level needs.
func (g *guild) boosts() int { return g.byTier([4]int{0, 2, 7, 14}) }

// maxBitrate is what voice channels may have; stages have no more than the lowest.
func (g *guild) maxBitrate(kind int) int {
	if kind == StageChannel {
		return 64_000
	}
	return g.byTier([4]int{96_000, 128_000, 256_000, 384_000})
}
