// A photo on which an object is marked: draw a box, take a numbered one, or choose the whole photo. All in pixels of the
// photo. props.photo = {key, src, about, size_wh, boxes: [{box: [x1, y1, x2, y2], label}], larger: whether there is more
// to see than src shows}; props.full = {key, path} once that was asked for; props.tags = [{box, words, style, unsure,
// index}], verdicts to write at boxes. Files dropped on the photo go to the element that data-drop-at names.
// props.value = {box, index: of a numbered box or null} | {box: null, index: null, whole: true} | null: nothing chosen.
const view = element.querySelector('.dg-pick-view');
const frame = element.querySelector('.dg-pick-frame');
const image = element.querySelector('img');
const layer = element.querySelector('.dg-pick-layer');
const drawn = element.querySelector('.dg-pick-drawn');
const tags = element.querySelector('.dg-pick-tags');
const whole = element.querySelector('.dg-pick-whole');
const caption = element.querySelector('.dg-pick-said');
const name = element.querySelector('.dg-pick-name');
const scaleLabel = element.querySelector('.dg-pick-scale');
const CLICK_PX = 5; // on the screen: a shorter drag is a click
const STEP = 1.25; // of a zoom
const KEYS_REST_MS = 150; // the page is told of a box moved by keyboard when the keys rest
const TINY_PX = 34; // on the screen: a smaller box has handles at its corners only

// -- Where the photo lies: scale is pixels of the screen for one of the photo, (left, top) its corner in the view --------
let scale = 1, left = 0, top = 0, fitted = true;
const size = () => props.photo.size_wh;
const fit = () => Math.min(view.clientWidth / size()[0], view.clientHeight / size()[1]);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

const arrange = () => {
  if (!props.photo || !view.clientWidth) return;
  if (fitted) scale = fit();
  // A photo smaller than the view lies in its middle, a larger one fills it.
  const along = (start, room, length) => length <= room ? (room - length) / 2 : within(start, room - length, 0);
  const [wide, high] = size().map((side) => side * scale);
  left = along(left, view.clientWidth, wide);
  top = along(top, view.clientHeight, high);
  Object.assign(frame.style, { left: left + 'px', top: top + 'px', width: wide + 'px', height: high + 'px' });
  scaleLabel.textContent = Math.round(100 * scale) + ' %';
  view.classList.toggle('dg-fitted', fitted);
  if (drawn.box) drawn.classList.toggle('dg-tiny',
    scale * Math.min(drawn.box[2] - drawn.box[0], drawn.box[3] - drawn.box[1]) < TINY_PX);
  placeTags();
  sharpen();
};

const zoomTo = (wanted, at) => {
  if (!props.photo) return;
  const [x, y] = at || middle();
  const next = within(wanted, Math.min(fit(), 1), Math.max(8, 8 * fit()));
  left = x - (x - left) * next / scale;
  top = y - (y - top) * next / scale;
  scale = next;
  fitted = Math.abs(scale - fit()) < 1e-3 * scale;
  arrange();
};
// Buttons and keys zoom towards the chosen box, else towards what is in the middle.
const middle = () => {
  const box = drawn.box || [-left, -top, view.clientWidth - left, view.clientHeight - top].map((end) => end / scale);
  const centre = [left + scale * (box[0] + box[2]) / 2, top + scale * (box[1] + box[3]) / 2];
  return [within(centre[0], 0, view.clientWidth), within(centre[1], 0, view.clientHeight)];
};
const zooms = { in: () => zoomTo(scale * STEP), out: () => zoomTo(scale / STEP), full: () => zoomTo(1),
  fit: () => { fitted = true; arrange(); } };

// The photo in its full size is asked for once somebody looks closer than the preview can show.
let asked = null;
const sharpen = () => {
  const photo = props.photo;
  if (!photo.larger || asked === photo.key || scale * size()[0] < 1.2 * image.naturalWidth || !image.complete) return;
  asked = photo.key;
  trigger('sharpen');
};
const showFull = () => {
  const { full, photo } = props;
  if (!full || !photo || full.key !== photo.key) return;
  const loaded = new Image();
  loaded.onload = () => { if (props.photo && props.photo.key === full.key) image.src = loaded.src; };
  loaded.src = 'gradio_api/file=' + full.path.split('/').map(encodeURIComponent).join('/');
};

// -- What is chosen --------------------------------------------------------------------------------------------------
const own = (value) => !!value && !!value.box && value.index == null;
const place = (node, box) => {
  const [wide, high] = size();
  const [x1, y1, x2, y2] = box;
  Object.assign(node.style, { left: 100 * x1 / wide + '%', top: 100 * y1 / high + '%',
    width: 100 * (x2 - x1) / wide + '%', height: 100 * (y2 - y1) / high + '%' });
};

const paint = () => {
  const value = props.photo && props.value;
  outline(value && value.box);
  layer.querySelectorAll('button').forEach((button, i) =>
    button.setAttribute('aria-pressed', String(!!value && value.index === i)));
  whole.setAttribute('aria-pressed', String(!!value && !!value.whole));
  frame.classList.toggle('dg-whole', !!value && !!value.whole);
  const numbered = value && value.index != null && props.photo.boxes[value.index];
  caption.textContent = numbered ? `Box ${value.index + 1}, ${numbered.label}`
    : own(value) ? `Your own box, ${sides(value.box)}` : value && value.whole ? 'The whole photo' : 'Nothing yet';
};
const sides = (box) => `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])} pixels`;
const outline = (box) => {
  drawn.box = box || null;
  drawn.hidden = !box;
  if (!box) return;
  place(drawn, box);
  drawn.classList.toggle('dg-tiny', scale * Math.min(box[2] - box[0], box[3] - box[1]) < TINY_PX);
};

let resting = null;
const tell = () => {
  clearTimeout(resting);
  resting = null;
  trigger('select', props.value || { box: null, index: null });
};
const choose = (value, soon = false) => {
  props.value = value;
  paint();
  clearTimeout(resting);
  if (soon) resting = setTimeout(tell, KEYS_REST_MS); else tell();
};

const load = () => {
  const photo = props.photo;
  layer.replaceChildren();
  if (!photo) { image.removeAttribute('src'); return; }
  fitted = true;
  asked = null;
  image.src = photo.src;
  image.alt = name.textContent = name.title = photo.about;
  photo.boxes.forEach((box, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'dg-pick-box';
    button.title = box.label;
    button.setAttribute('aria-label', 'Box ' + (i + 1) + ': ' + box.label);
    const tag = document.createElement('span');
    tag.textContent = i + 1;
    button.append(tag);
    place(button, box.box);
    // By keyboard; the mouse is followed below, where a drag may begin on a box as well.
    button.addEventListener('click', (event) => { if (event.detail === 0) choose({ box: box.box, index: i }); });
    layer.append(button);
  });
  paint();
  arrange();
};

// -- Verdicts at their boxes -------------------------------------------------------------------------------------------
const writeTags = () => {
  tags.replaceChildren();
  (props.photo && props.tags || []).forEach((one) => {
    const tag = document.createElement('span');
    tag.className = one.unsure ? 'dg-tag dg-tag-unsure' : 'dg-tag';
    tag.style.cssText = one.style;
    tag.textContent = (one.index == null ? '' : one.index + 1 + '  ') + one.words;
    tag.box = one.box;
    tags.append(tag);
  });
  layer.querySelectorAll('button').forEach((button, i) =>
    button.classList.toggle('dg-tagged', (props.tags || []).some((one) => one.index === i)));
  if (props.photo) placeTags();
};
// The first free place of each: above the box, below its upper edge, above its lower edge, below it.
const placeTags = () => {
  const taken = [];
  for (const tag of tags.children) {
    const [x1, y1, , y2] = tag.box.map((end) => end * scale);
    const wide = tag.offsetWidth, high = tag.offsetHeight;
    const x = within(x1, 0, Math.max(0, frame.offsetWidth - wide));
    const places = [y1 - high, y1, y2 - high, y2].filter((y) => y >= 0 && y + high <= frame.offsetHeight);
    const free = (y) => taken.every((other) =>
      x + wide <= other.x || other.x + other.wide <= x || y + high <= other.y || other.y + high <= y);
    const y = places.find(free) ?? places[0] ?? 0;
    taken.push({ x, y, wide, high });
    Object.assign(tag.style, { left: x + 'px', top: y + 'px' });
  }
};

// -- Mouse, pen and fingers --------------------------------------------------------------------------------------------
let tool = 'draw', space = false;
const pointers = new Map(); // id -> [x, y] in the view
let gesture = null; // {kind, from: where it began, box, edge, left, top, scale, far}
const inView = (event) => {
  const about = view.getBoundingClientRect();
  return [event.clientX - about.left - view.clientLeft, event.clientY - about.top - view.clientTop];
};
const inPhoto = ([x, y]) => [within((x - left) / scale, 0, size()[0]), within((y - top) / scale, 0, size()[1])];
const holds = (box, [x, y]) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];

const moved = (box, across, down) => {
  const x = within(across, -box[0], size()[0] - box[2]), y = within(down, -box[1], size()[1] - box[3]);
  return [box[0] + x, box[1] + y, box[2] + x, box[3] + y];
};
const resized = (box, edge, across, down) => {
  let [x1, y1, x2, y2] = box;
  if (edge.includes('w')) x1 = within(x1 + across, 0, x2 - 1);
  if (edge.includes('e')) x2 = within(x2 + across, x1 + 1, size()[0]);
  if (edge.includes('n')) y1 = within(y1 + down, 0, y2 - 1);
  if (edge.includes('s')) y2 = within(y2 + down, y1 + 1, size()[1]);
  return [x1, y1, x2, y2];
};

const spread = () => {
  const [[x1, y1], [x2, y2]] = [...pointers.values()];
  return { middle: [(x1 + x2) / 2, (y1 + y2) / 2], apart: Math.hypot(x2 - x1, y2 - y1) || 1 };
};
const begin = (event, at) => {
  const edge = event.target.dataset.edge, box = drawn.box;
  const about = { from: at, box, edge, left, top, scale, far: false };
  if (pointers.size === 2) return { ...about, kind: 'pinch', ...spread() };
  if (event.button === 1 || tool === 'pan' || space) return { ...about, kind: 'pan' };
  if (edge) return { ...about, kind: 'resize' };
  return { ...about, kind: box && holds(box, inPhoto(at)) ? 'move' : 'draw' };
};
const follow = (at) => {
  const [x, y] = [at[0] - gesture.from[0], at[1] - gesture.from[1]];
  gesture.far ||= Math.hypot(x, y) > CLICK_PX;
  if (gesture.kind === 'pinch') {
    const { middle: to, apart } = spread();
    ({ left, top, scale } = gesture);
    [left, top] = [left + to[0] - gesture.middle[0], top + to[1] - gesture.middle[1]];
    zoomTo(gesture.scale * apart / gesture.apart, to);
    return null;
  }
  if (!gesture.far) return null;
  if (gesture.kind === 'pan') {
    [left, top] = [gesture.left + x, gesture.top + y];
    arrange();
    return null;
  }
  if (gesture.kind === 'move') return moved(gesture.box, x / scale, y / scale);
  if (gesture.kind === 'resize') return resized(gesture.box, gesture.edge, x / scale, y / scale);
  const [a, b] = [inPhoto(gesture.from), inPhoto(at)];
  const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  return box[2] - box[0] >= 1 && box[3] - box[1] >= 1 ? box : null;
};
// A click takes the smallest numbered box under it; in Move the photo as well.
const take = (at) => {
  const area = (b) => (b[2] - b[0]) * (b[3] - b[1]);
  const [hit] = props.photo.boxes.map((one, i) => ({ box: one.box, index: i }))
    .filter(({ box }) => holds(box, inPhoto(at))).sort((a, b) => area(a.box) - area(b.box));
  if (hit) choose(hit); else paint();
};

view.addEventListener('pointerdown', (event) => {
  if (!props.photo || event.button > 1) return;
  pointers.set(event.pointerId, inView(event));
  if (pointers.size > 2) return;
  gesture = begin(event, inView(event));
  if (gesture.kind === 'pinch') paint(); // the first finger had begun a box
  view.setPointerCapture(event.pointerId);
  view.focus({ preventScroll: true });
  event.preventDefault();
});
view.addEventListener('pointermove', (event) => {
  if (!pointers.has(event.pointerId) || !gesture) return;
  pointers.set(event.pointerId, inView(event));
  if (gesture.kind === 'pinch' && pointers.size < 2) return;
  const box = follow(inView(event));
  if (box) outline(box);
});
const release = (event) => {
  if (!pointers.delete(event.pointerId) || !gesture) return;
  const { kind } = gesture;
  const box = event.type === 'pointerup' && kind !== 'pinch' ? follow(inView(event)) : null;
  const click = event.type === 'pointerup' && kind !== 'pinch' && !gesture.far;
  if (kind !== 'pinch' || !pointers.size) gesture = null;
  if (click) take(inView(event)); else if (box) choose({ box, index: null }); else paint();
};
view.addEventListener('pointerup', release);
view.addEventListener('pointercancel', release);
view.addEventListener('wheel', (event) => {
  // Where there is nothing to zoom out of, the page scrolls on.
  if (!props.photo || (event.deltaY > 0 && (fitted || scale <= Math.min(fit(), 1)))) return;
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : 1; // Firefox counts lines
  zoomTo(scale * Math.exp(-within(event.deltaY * lines, -120, 120) / 300), inView(event));
}, { passive: false });

// -- Keyboard ------------------------------------------------------------------------------------------------------------
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const rounded = (box) => box.map(Math.round);
const byArrow = ([across, down], event) => {
  const box = drawn.box;
  if (!box) {
    [left, top] = [left - across * view.clientWidth / 10, top - down * view.clientHeight / 10];
    arrange();
    return;
  }
  const step = event.ctrlKey || event.metaKey ? 1
    : Math.max(1, Math.round(Math.min(view.clientWidth, view.clientHeight) / scale / 50));
  const next = event.shiftKey ? resized(rounded(box), across ? 'e' : 's', across * step, down * step)
    : moved(rounded(box), across * step, down * step);
  choose({ box: next, index: null }, true);
  reveal(next);
};
const reveal = (box) => {
  const [x1, y1, x2, y2] = box.map((end) => end * scale);
  const along = (start, room, low, high) => start + Math.min(0, room - start - high) + Math.max(0, -start - low);
  [left, top] = [along(left, view.clientWidth, x1, x2), along(top, view.clientHeight, y1, y2)];
  arrange();
};
// In the middle of what is seen, a third of it.
const drawByKey = () => {
  const [x1, y1] = inPhoto([0, 0]), [x2, y2] = inPhoto([view.clientWidth, view.clientHeight]);
  const [wide, high] = [(x2 - x1) / 3, (y2 - y1) / 3];
  choose({ box: rounded([x1 + wide, y1 + high, x2 - wide, y2 - high]), index: null });
};
const KEYS = { '+': zooms.in, '=': zooms.in, '-': zooms.out, 0: zooms.fit, 1: zooms.full };
view.addEventListener('keydown', (event) => {
  if (!props.photo) return;
  if (event.key === ' ' && event.target === view) space = true;
  else if (ARROWS[event.key] && !event.altKey) byArrow(ARROWS[event.key], event);
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === 'Enter' && event.target === view) drawByKey();
  else if (event.key === 'Escape' || event.key === 'Delete' || event.key === 'Backspace') choose(null);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});
view.addEventListener('keyup', (event) => { if (event.key === ' ') space = false; });
view.addEventListener('focusout', () => { space = false; if (resting) tell(); });

// -- Buttons, and files that fall onto the photo -------------------------------------------------------------------------
const tools = element.querySelectorAll('[data-tool]');
tools.forEach((button) => button.addEventListener('click', () => {
  tool = button.dataset.tool;
  tools.forEach((one) => one.setAttribute('aria-pressed', String(one === button)));
  view.classList.toggle('dg-panning', tool === 'pan');
}));
element.querySelectorAll('[data-zoom]').forEach((button) =>
  button.addEventListener('click', () => zooms[button.dataset.zoom]()));
whole.addEventListener('click', () =>
  choose(props.value && props.value.whole ? null : { box: null, index: null, whole: true }));
view.addEventListener('dragover', (event) => event.preventDefault());
view.addEventListener('drop', (event) => {
  event.preventDefault();
  const input = document.querySelector(view.dataset.dropAt + ' input[type=file]');
  if (!input || !event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
});

watch('photo', load);
watch('value', paint);
watch('tags', writeTags);
watch('full', showFull);
image.addEventListener('load', () => props.photo && sharpen());
new ResizeObserver(arrange).observe(view);
load();
