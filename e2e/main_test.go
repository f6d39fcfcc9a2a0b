package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// splashtail is the binary under test; TestMain builds it.
var splashtail string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	// Most of a test is waiting for graces and leases of other processes, so more of them than there are processors share
	// the machine; -parallel on the command line still decides.
	if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "splashtail-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	splashtail = filepath.Join(dir, "splashtail")
	build := exec.Command("go", "build", "-o", splashtail, "..")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "splashtail cannot be built:", err)
		return 1
	}
	return m.Run()
}
