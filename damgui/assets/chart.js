// One live plotly chart. The figure arrives as JSON in props.value, points that came since in props.more: they take the
// place of the figure's own from the step `since` on. Plotly.react keeps zoom while uirevision is the same.
const plot = element.querySelector('.dg-plot');
const empty = element.querySelector('.dg-plot-empty');

const themed = (layout) => {
  const css = getComputedStyle(element);
  const ink = css.getPropertyValue('--dg-ink').trim();
  const muted = css.getPropertyValue('--dg-muted').trim();
  const line = css.getPropertyValue('--dg-grid').trim();
  const card = css.getPropertyValue('--dg-card').trim();
  layout.font = Object.assign({}, layout.font, { color: muted, family: css.fontFamily });
  layout.modebar = { bgcolor: 'rgba(0,0,0,0)', color: muted, activecolor: ink };
  layout.hoverlabel = { bgcolor: card, bordercolor: line, font: { color: ink, family: css.fontFamily } };
  for (const key of Object.keys(layout)) {
    if (!/^[xy]axis\d*$/.test(key)) continue;
    Object.assign(layout[key], { gridcolor: line, linecolor: line, zerolinecolor: line });
    layout[key].tickfont = Object.assign({}, layout[key].tickfont, { color: muted });
  }
  for (const note of layout.annotations || []) {
    note.font = Object.assign({}, note.font);
    if (!note.font.color) note.font.color = ink;
  }
  return layout;
};

const appended = (figure, more) => {
  if (!more || figure.layout.meta?.base !== more.base) return figure; // of another figure: the next answer brings ours
  more.y.forEach((y, i) => {
    const trace = figure.data[i];
    const cut = trace.x.findIndex((x) => x === null || x >= more.since);
    const kept = cut < 0 ? trace.x.length : cut;
    trace.x = trace.x.slice(0, kept).concat(more.x);
    trace.y = trace.y.slice(0, kept).concat(y);
  });
  return figure;
};

const draw = () => {
  const figure = props.value ? appended(JSON.parse(props.value), props.more && JSON.parse(props.more)) : null;
  plot.hidden = !figure;
  if (empty) empty.hidden = !!figure;
  // A chart in a hidden tab has no width to be drawn in; the observer below draws it once it has one.
  if (!figure || !element.clientWidth) return;
  plot.style.height = figure.layout.height + 'px';
  const buttons = [['zoom2d', 'pan2d', 'resetScale2d', 'toImage']];
  window.Plotly.react(plot, figure.data, themed(figure.layout), {
    responsive: true, displaylogo: false, modeBarButtons: buttons, displayModeBar: plot.dataset.zoom ? 'hover' : false,
  });
};

watch(['value', 'more'], draw);
draw();
new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ['class'] });
let width = element.clientWidth;
new ResizeObserver(() => {
  const now = element.clientWidth;
  if (now && now !== width) draw();
  width = now;
}).observe(element);
