package engine_test

import (
	"os"
	"testing"
)

func workerOrTests(m *testing.M) { os.Exit(m.Run()) }
