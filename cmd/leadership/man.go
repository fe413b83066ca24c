package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write man pages of all commands",
		Long: `Man writes a man page for each command into a folder, which it makes if there is none:
leadership.1, leadership-run.1 and so on. Their date is the present one, or that of
SOURCE_DATE_EPOCH.`,
		Example: `  leadership man /usr/local/share/man/man1
  leadership man . && man ./leadership-run.1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return errors.New("name one folder for the pages, such as /usr/local/share/man/man1")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCode(writeMan(cmd.Root(), args[0]), exitFailure)
		},
	}
}

// writeMan writes the pages of root, and of the commands under it, into a folder.
func writeMan(root *cobra.Command, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // Pages are for all users.
		return fmt.Errorf("man: %w", err)
	}
	toMarkdown(root)
	header := &doc.GenManHeader{Section: "1", Source: "leadership " + versionOf().Version, Manual: "leadership"}
	if err := doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{Header: header, Path: folder, CommandSeparator: "-"}); err != nil {
		return fmt.Errorf("man: %w", err)
	}
	return nil
}

// markdown returns the help of root, and of the commands under it, as one document.
func markdown(root *cobra.Command) ([]byte, error) {
	toMarkdown(root)
	var all bytes.Buffer
	var write func(cmd *cobra.Command) error
	write = func(cmd *cobra.Command) error {
		link := func(file string) string {
			return "#" + strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "_", "-")
		}
		if err := doc.GenMarkdownCustom(cmd, &all, link); err != nil {
			return fmt.Errorf("document %s: %w", cmd.CommandPath(), err)
		}
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				if err := write(c); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := write(root)
	return all.Bytes(), err
}

// toMarkdown makes Markdown of the help of cmd, and of the commands under it, for cobra's
// generators: what is indented is a list or a table, whose lines stay as they are.
func toMarkdown(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	var long strings.Builder
	before := "" // the last line
	for line := range strings.Lines(cmd.Long) {
		blank := strings.TrimSpace(line) == ""
		if indented(line) {
			line = "  " + line
		}
		if !blank && strings.TrimSpace(before) != "" && indented(line) != indented(before) {
			long.WriteString("\n")
		}
		long.WriteString(line)
		before = line
	}
	cmd.Long = long.String()
	for _, c := range cmd.Commands() {
		toMarkdown(c)
	}
}

func indented(line string) bool { return strings.HasPrefix(line, "  ") }
