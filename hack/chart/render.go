// Renders a Helm chart of templates, values and a values schema, for where there is no helm.
//
// The template language and its functions are Helm's own: Go's text/template, sprig, and the YAML library that Helm
// uses. What is stated again here is the little around them: merging values, checking them against the schema, the
// objects .Values, .Release, .Chart and .Template, and include, required, toYaml, fail. A template that asks for
// anything else is refused, as is a value that is not there. Subcharts, hooks, lookup, .Files and .Capabilities are
// not part of it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

type texts []string

func (t *texts) String() string         { return strings.Join(*t, ",") }
func (t *texts) Set(value string) error { *t = append(*t, value); return nil }

type object = map[string]interface{}

func main() {
	var files, settings texts
	name := flag.String("name", "swiftwater", "")
	namespace := flag.String("namespace", "kafka", "")
	definitions := flag.Bool("include-crds", false, "")
	notes := flag.Bool("notes", false, "")
	flag.Var(&files, "f", "")
	flag.Var(&settings, "set", "")
	flag.Parse()
	if err := run(flag.Arg(0), *name, *namespace, files, settings, *definitions, *notes); err != nil {
		fmt.Fprintln(os.Stderr, "render-chart: "+err.Error())
		os.Exit(1)
	}
}

func run(chart, name, namespace string, files, settings texts, definitions, notes bool) error {
	about, err := read(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return err
	}
	values, err := read(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		more, err := read(file)
		if err != nil {
			return err
		}
		merge(values, more)
	}
	for _, setting := range settings {
		if err := set(values, setting); err != nil {
			return err
		}
	}
	if err := check(filepath.Join(chart, "values.schema.json"), values); err != nil {
		return err
	}
	capitals := object{}
	for key, value := range about {
		capitals[strings.ToUpper(key[:1])+key[1:]] = value
	}
	release := object{"Name": name, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1}
	pages, err := render(chart, object{"Values": values, "Release": release, "Chart": capitals})
	if err != nil {
		return err
	}
	if notes {
		fmt.Print(pages["NOTES.txt"])
		return nil
	}
	delete(pages, "NOTES.txt")
	if definitions {
		if err := writeDefinitions(chart); err != nil {
			return err
		}
	}
	return write(about["name"].(string), pages)
}

func read(path string) (object, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := object{}
	if err := yaml.UnmarshalStrict(bytes, &found); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// merge puts one set of values over another: maps are merged, everything else is replaced, null takes away.
func merge(under, over object) {
	for key, value := range over {
		if value == nil {
			delete(under, key)
			continue
		}
		low, isMapBelow := under[key].(object)
		high, isMap := value.(object)
		if isMapBelow && isMap {
			merge(low, high)
		} else {
			under[key] = value
		}
	}
}

// set understands path.to.key=value, with a value in YAML.
func set(values object, setting string) error {
	path, text, found := strings.Cut(setting, "=")
	if !found {
		return fmt.Errorf("--set %s: KEY=VALUE is needed", setting)
	}
	var value interface{}
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("--set %s: %w", setting, err)
	}
	parts := strings.Split(path, ".")
	more := object{parts[len(parts)-1]: value}
	for i := len(parts) - 2; i >= 0; i-- {
		more = object{parts[i]: more}
	}
	merge(values, more)
	return nil
}

func check(path string, values object) error {
	schema, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(schema), gojsonschema.NewGoLoader(values))
	if err != nil {
		return err
	}
	if result.Valid() {
		return nil
	}
	words := []string{}
	for _, mistake := range result.Errors() {
		words = append(words, mistake.String())
	}
	sort.Strings(words)
	return errors.New("values don't meet the specifications of the schema: " + strings.Join(words, "; "))
}

func render(chart string, scope object) (map[string]string, error) {
	all := template.New("chart").Option("missingkey=error")
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["toYaml"] = func(value interface{}) (string, error) {
		bytes, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(bytes), "\n"), err
	}
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["required"] = func(words string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(words)
		}
		return value, nil
	}
	all.Funcs(functions)
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if _, err := all.New(filepath.Base(path)).Parse(string(text)); err != nil {
			return nil, err
		}
	}
	pages := map[string]string{}
	for _, path := range paths {
		file := filepath.Base(path)
		if strings.HasPrefix(file, "_") {
			continue
		}
		scope["Template"] = object{"Name": "templates/" + file, "BasePath": "templates"}
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, file, scope); err != nil {
			return nil, err
		}
		pages[file] = out.String()
	}
	return pages, nil
}

func writeDefinitions(chart string) error {
	paths, err := filepath.Glob(filepath.Join(chart, "crds", "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Printf("---\n# Source: crds/%s\n%s\n", filepath.Base(path), strings.TrimSpace(string(text)))
	}
	return nil
}

// Who is needed by others comes first.
var order = []string{"ServiceAccount", "Secret", "ConfigMap", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service", "Deployment"}

func write(chart string, pages map[string]string) error {
	type document struct {
		rank         int
		source, text string
	}
	documents := []document{}
	for file, page := range pages {
		for _, text := range strings.Split("\n"+page, "\n---") {
			text = strings.TrimSpace(text)
			if text == "" {
				continue
			}
			parsed := object{}
			if err := yaml.UnmarshalStrict([]byte(text), &parsed); err != nil {
				return fmt.Errorf("%s: %w\n%s", file, err, text)
			}
			rank := len(order)
			for place, kind := range order {
				if parsed["kind"] == kind {
					rank = place
				}
			}
			documents = append(documents, document{rank, file, text})
		}
	}
	sort.SliceStable(documents, func(a, b int) bool {
		if documents[a].rank != documents[b].rank {
			return documents[a].rank < documents[b].rank
		}
		return documents[a].source < documents[b].source
	})
	for _, document := range documents {
		fmt.Printf("---\n# Source: %s/templates/%s\n%s\n", chart, document.source, document.text)
	}
	return nil
}
