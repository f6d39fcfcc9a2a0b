package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"splashtail/bus"
)

// The rules of the house that a machine can check. docs/architecture.md says why.

const module = "splashtail"

// componentNames are the packages that run on the bus and never import each other.
func componentNames() []string {
	return []string{"gatewayproxy", "broker", "muteproxy", "bot", "jobs", "api"}
}

// cells says which packages may import which third party, in code that is not a test. What is not listed here is not
// used: a new dependency comes with a row here and a line in docs/dependencies.md.
func cells() map[string][]string {
	return map[string][]string{
		"github.com/nats-io":                {"bus"},
		"github.com/gofiber/fiber":          {"muteproxy", "api"},
		"github.com/zishang520":             {"broker"},
		"github.com/redis/go-redis":         {"broker", "muteproxy", "gatewayproxy/upstream", "internal/sandbox", "."},
		"github.com/bwmarrin/discordgo":     {"internal/discord", "internal/incident", "bot", "jobs"},
		"github.com/coder/websocket":        {"gatewayproxy", "internal/sandbox"},
		"github.com/alicebob/miniredis":     {"."},
		"github.com/gorilla/websocket":      {"broker"},
		"github.com/alecthomas/kong":        {"."},
		"github.com/prometheus":             {".", "broker", "muteproxy", "gatewayproxy", "bot", "jobs", "api", "internal"},
		"golang.org/x/term":                 {"."},
		"golang.org/x/sync":                 {"broker", "muteproxy", "gatewayproxy", "bot", "jobs", "api", "internal"},
		"github.com/valyala/fasthttp":       {"muteproxy", "api"},
		"github.com/getkin/kin-openapi":     {"internal/sandbox"},
		"filippo.io/age":                    {"jobs"},
		"github.com/klauspost/compress":     {"gatewayproxy", "jobs", "internal/guilds", "internal/sandbox"},
		"golang.org/x/crypto/chacha20poly1": {"muteproxy"},
	}
}

// private are the third parties whose types no exported signature shows.
func private() []string {
	return []string{"github.com/nats-io", "github.com/gofiber/fiber", "github.com/zishang520", "github.com/redis/go-redis", "github.com/coder/websocket"}
}

// listed is what `go list -json` tells of a package.
type listed struct {
	ImportPath, Name, Dir string
	GoFiles, Imports      []string
}

// rel is the path inside the module; "." for main.
func (p listed) rel() string {
	return strings.TrimPrefix(strings.Replace(p.ImportPath, module, ".", 1), "./")
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,Imports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within tells whether path is one of prefixes or below one.
func within(p string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(q string) bool { return p == q || strings.HasPrefix(p, q+"/") })
}

func TestDepsImports(t *testing.T) {
	for _, p := range packages(t) {
		top, _, _ := strings.Cut(p.rel(), "/")
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok {
				if why := refused(top, p.rel(), own); why != "" {
					t.Errorf("%s imports %s: %s", p.rel(), own, why)
				}
				continue
			}
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
				continue // standard library
			}
			cell := ""
			for prefix := range maps.Keys(cells()) {
				if strings.HasPrefix(imp, prefix) {
					cell = prefix
				}
			}
			if cell == "" {
				t.Errorf("%s imports %s, which has no row in cells()", p.rel(), imp)
			} else if !within(p.rel(), cells()[cell]) {
				t.Errorf("%s imports %s, which belongs in %v only", p.rel(), imp, cells()[cell])
			}
		}
	}
}

// refused says why a package of ours may not import another one of ours; empty: it may.
func refused(top, from, to string) string {
	toTop, _, _ := strings.Cut(to, "/")
	isComponent := slices.Contains(componentNames(), toTop)
	switch {
	case top == ".":
		return "" // main wires everything
	case top == "bus" && toTop != "bus":
		return "bus imports the standard library and NATS only"
	case isComponent && toTop != top && top != "e2e":
		return "components meet on the bus, and nothing below them knows them"
	case from == "internal/discord" && toTop == "bus":
		return "the REST client knows nothing of the bus"
	case strings.HasSuffix(to, "test") && !strings.HasSuffix(from, "test") && top != "e2e":
		return "a test helper does not belong in the binary"
	}
	return ""
}

func TestDepsPackageNames(t *testing.T) {
	for _, p := range packages(t) {
		for _, bad := range []string{"util", "utils", "common", "types", "lib", "helper", "helpers", "misc"} {
			if p.Name == bad || path.Base(p.ImportPath) == bad {
				t.Errorf("%s: name a package after what it holds", p.rel())
			}
		}
	}
}

// parsedFile is one parsed file that is not a test.
type parsedFile struct {
	pkg  listed
	name string
	file *ast.File
	fset *token.FileSet
}

func (s parsedFile) at(n ast.Node) string {
	pos := s.fset.Position(n.Pos())
	return filepath.Join(s.pkg.rel(), s.name) + ":" + strconv.Itoa(pos.Line)
}

func sources(t *testing.T) []parsedFile {
	t.Helper()
	var all []parsedFile
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, parsedFile{p, name, f, fset})
		}
	}
	return all
}

// TestDepsSignatures: what another package can see mentions no type of a library that has its cell.
func TestDepsSignatures(t *testing.T) {
	for _, s := range sources(t) {
		hidden := map[string]string{} // name in this file -> import path
		for _, imp := range s.file.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if slices.ContainsFunc(private(), func(q string) bool { return strings.HasPrefix(p, q) }) {
				hidden[localName(imp, p)] = p
			}
		}
		if len(hidden) == 0 {
			continue
		}
		report := func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && hidden[x.Name] != "" {
					t.Errorf("%s: %s.%s in an exported signature", s.at(n), x.Name, sel.Sel.Name)
				}
			}
			return true
		}
		for _, d := range s.file.Decls {
			for _, n := range visible(d) {
				ast.Inspect(n, report)
			}
		}
	}
}

// localName is what a file calls an import; versions at the end of a path are not part of a name.
func localName(imp *ast.ImportSpec, p string) string {
	if imp.Name != nil {
		return imp.Name.Name
	}
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return strings.TrimPrefix(strings.TrimSuffix(base, ".go"), "go-")
}

// visible gives the parts of a declaration that other packages see: signatures and exported fields, not bodies.
func visible(d ast.Decl) []ast.Node {
	var out []ast.Node
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
			out = append(out, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					out = append(out, visibleType(spec.Type)...)
				}
			case *ast.ValueSpec:
				if spec.Type != nil && spec.Names[0].IsExported() {
					out = append(out, spec.Type)
				}
			}
		}
	}
	return out
}

func visibleType(e ast.Expr) []ast.Node {
	s, ok := e.(*ast.StructType)
	if !ok {
		return []ast.Node{e}
	}
	var out []ast.Node
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			out = append(out, f.Type)
		}
	}
	return out
}

func exportedReceiver(recv *ast.FieldList) bool {
	name := ""
	ast.Inspect(recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return ast.IsExported(name)
}

// TestDepsBusNames: only bus writes a subject, stream or bucket as a string.
func TestDepsBusNames(t *testing.T) {
	names, roots := map[string]bool{}, []string{"$KV.", "$JS.", "$SRV.", "ctl.", "modify."}
	top := bus.Topology()
	for _, s := range top.Streams {
		names[s.Name] = true
		for _, take := range s.Takes {
			root, _, _ := strings.Cut(take, "*") // words of messages begin like some subjects, but never like these
			root, _, _ = strings.Cut(root, ">")
			roots = append(roots, root)
		}
	}
	for _, b := range top.Buckets {
		names[b.Name], names["KV_"+b.Name] = true, true
	}
	for _, s := range sources(t) {
		if within(s.pkg.rel(), []string{"bus"}) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, _ := strconv.Unquote(lit.Value)
			root := func(r string) bool { return strings.HasPrefix(text, r) && text != r }
			if names[text] || !strings.Contains(text, " ") && slices.ContainsFunc(roots, root) {
				t.Errorf("%s: %q is a name of the bus; use its constructor", s.at(n), text)
			}
			return true
		})
	}
}

// TestDepsNoPackageState: no init, and no variable of a package that changes or is made to be changed.
func TestDepsNoPackageState(t *testing.T) {
	allowed := map[string]bool{"main.go:version": true} // written by the linker
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init()", s.at(f))
			}
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				id := filepath.Join(s.pkg.rel(), s.name) + ":" + v.Names[0].Name
				if v.Names[0].Name != "_" && !embedded(g) && !constant(v) && !allowed[id] {
					t.Errorf("%s: the variable %s belongs to a value that somebody makes", s.at(v), v.Names[0].Name)
				}
			}
		}
	}
}

func embedded(g *ast.GenDecl) bool {
	return g.Doc != nil && slices.ContainsFunc(g.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") })
}

// constant tells whether a variable is one in name only: an error, a pattern, a literal table, a conversion of those.
func constant(v *ast.ValueSpec) bool {
	if len(v.Values) == 0 {
		return false
	}
	for _, e := range v.Values {
		switch e := e.(type) {
		case *ast.CompositeLit, *ast.BasicLit, *ast.FuncLit, *ast.Ident, *ast.SelectorExpr, *ast.BinaryExpr:
		case *ast.CallExpr:
			sel, ok := e.Fun.(*ast.SelectorExpr)
			if !ok {
				_, conversion := e.Fun.(*ast.ArrayType)
				if !conversion {
					return false
				}
				continue
			}
			if !slices.Contains([]string{"New", "Errorf", "MustCompile", "NewReplacer", "MustParseAddr", "MustParsePrefix", "MustParse", "TypeFor"}, sel.Sel.Name) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// TestDepsSizes: a function fits a screen, and a file is one thing.
func TestDepsSizes(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.fset.File(s.file.Pos()).LineCount(); n > 500 {
			t.Errorf("%s/%s has %d lines", s.pkg.rel(), s.name, n)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line; n > 80 {
					t.Errorf("%s: %s has %d lines", s.at(f), f.Name.Name, n)
				}
			}
		}
	}
}

// TestDepsAreExplained: docs/dependencies.md has a line for each direct requirement of go.mod.
func TestDepsAreExplained(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range strings.Fields(string(out)) {
		if !strings.Contains(string(doc), "`"+m+"`") {
			t.Errorf("docs/dependencies.md does not say why we need %s", m)
		}
	}
}

// TestDocsLinks: no page links to a file that is not there.
func TestDocsLinks(t *testing.T) {
	pages := []string{"README.md", "CHANGELOG.md"}
	err := filepath.WalkDir("docs", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".md") {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
	}
}
