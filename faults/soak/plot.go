package soak

import (
	"errors"
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plot writes the samples to path, an SVG: what has to stay flat, over the time.
func Plot(samples []Sample, path string) (err error) {
	var rows [][]*plot.Plot
	for _, s := range series {
		p := plot.New()
		p.Title.Text, p.Y.Min = s.name, 0
		p.BackgroundColor = color.White
		points := make(plotter.XYs, len(samples))
		for i, sample := range samples {
			points[i] = plotter.XY{X: sample.At.Minutes(), Y: s.of(sample)}
			p.Y.Max = max(p.Y.Max, 1.2*points[i].Y)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("soak: plot: %w", err)
		}
		line.Color = color.RGBA{0x1f, 0x5f, 0xa8, 0xff}
		p.Add(plotter.NewGrid(), line)
		p.X.Label.Text = "minutes"
		p.Y.Min = 0
		rows = append(rows, []*plot.Plot{p})
	}
	canvas := vgsvg.New(18*vg.Centimeter, vg.Length(len(rows))*5*vg.Centimeter)
	tiles := draw.Tiles{Rows: len(rows), Cols: 1, PadY: vg.Millimeter * 3, PadTop: vg.Millimeter, PadRight: vg.Millimeter * 4}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		rows[i][0].Draw(row[0])
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = canvas.WriteTo(file)
	return err
}
