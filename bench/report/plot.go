package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/rows"
)

// plotted are the kinds that have plots, and the columns of those.
var plotted = map[string][]string{
	"handover": {"ms", "requests"},
	"failover": {"share"},
	"idle":     {"requests", "own"},
}

// Plotted reports whether the page has a plot of a kind.
func Plotted(k *rows.Kind) bool { return plotted[k.Name] != nil }

func plotName(k *rows.Kind) string { return "benchmarks-" + k.Name + ".svg" }

// colors are those of this project's side and of up to three peers.
var colors = []color.Color{
	color.RGBA{0x1f, 0x5f, 0xa8, 0xff}, color.RGBA{0xd0, 0x6a, 0x1c, 0xff}, color.RGBA{0x3f, 0x8f, 0x4f, 0xff}, color.RGBA{0x8a, 0x4f, 0xa0, 0xff},
}

// plot writes an SVG of a kind: a row of tiles for each store, a tile for each column, and in it
// a line for each side, over the number, both on logarithmic scales.
func (r *Results) plot(k *rows.Kind, w io.Writer) error {
	var (
		stores []string
		lines  = make(map[string][]*rows.Row)
	)
	for _, row := range ofKind(k) {
		if lines[row.Store] == nil {
			stores = append(stores, row.Store)
		}
		lines[row.Store] = append(lines[row.Store], row)
	}
	var tiles [][]*plot.Plot
	for _, store := range stores {
		var line []*plot.Plot
		for _, key := range plotted[k.Name] {
			column := k.Columns[slices.IndexFunc(k.Columns, func(c rows.Column) bool { return c.Key == key })]
			p, err := r.tile(store, column, lines[store])
			if err != nil {
				return fmt.Errorf("plot %s of %s: %w", key, store, err)
			}
			line = append(line, p)
		}
		tiles = append(tiles, line)
	}
	columns := len(tiles[0])
	canvas := vgsvg.New(vg.Length(columns)*11*vg.Centimeter, vg.Length(len(tiles))*6*vg.Centimeter)
	layout := draw.Tiles{Rows: len(tiles), Cols: columns, PadX: vg.Millimeter * 4, PadY: vg.Millimeter * 4, PadTop: vg.Millimeter, PadRight: vg.Millimeter * 4}
	for i, line := range plot.Align(tiles, layout, draw.New(canvas)) {
		for j := range line {
			tiles[i][j].Draw(line[j])
		}
	}
	_, err := canvas.WriteTo(w)
	return err
}

func (r *Results) tile(store string, c rows.Column, all []*rows.Row) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.BackgroundColor = store+": "+c.Head, color.White
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.X.Min, p.X.Max = float64(all[0].N), float64(all[len(all)-1].N)
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	low, high := 1.0, 1.0
	for i, side := range all[0].Sides {
		points := plotter.XYs{}
		for _, row := range all {
			o := r.row(row.Name())
			if o == nil {
				continue
			}
			for _, s := range o.Sides {
				if f := s.Figures[c.Key]; s.Name == side && f.N > 0 {
					y := max(f.Median, 0.01) // the scale has no 0
					low, high = min(low, y), max(high, y)
					points = append(points, plotter.XY{X: float64(row.N), Y: y})
				}
			}
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colors[i], vg.Points(1.5)
		marks.Color, marks.Shape, marks.Radius = colors[i], draw.CircleGlyph{}, vg.Points(2.5)
		p.Add(line, marks)
		at, library, _ := strings.Cut(side, "/")
		if library == peers.Ours && at != store {
			library += " on " + at
		}
		p.Legend.Add(library, line, marks)
	}
	p.Y.Min = low / 2
	p.Y.Max = high * math.Pow(high/p.Y.Min, 0.15*float64(len(all[0].Sides)+1)) // room for the legend
	return p, nil
}
