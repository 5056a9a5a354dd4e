// A photo on which one box is chosen: drag a new one, or take one that is there. props.photo = {src, about, boxes};
// props.value = {box: [x1, y1, x2, y2] in fractions of the photo, index: number or null}, or null for the whole photo.
const frame = element.querySelector('.dg-pick-frame');
const image = element.querySelector('img');
const layer = element.querySelector('.dg-pick-layer');
const drawn = element.querySelector('.dg-pick-drawn');
const whole = element.querySelector('.dg-pick-whole');
const caption = element.querySelector('.dg-pick-said');
const SMALLEST = 0.01; // of the photo: a shorter drag is a click

const choose = (value) => { props.value = value; paint(); trigger('select', value || { box: null, index: null }); };

const place = (node, box) => {
  const [x1, y1, x2, y2] = box.map((end) => 100 * end);
  Object.assign(node.style, { left: x1 + '%', top: y1 + '%', width: x2 - x1 + '%', height: y2 - y1 + '%' });
};

const paint = () => {
  const value = props.value;
  const own = value && value.box && (value.index === null || value.index === undefined);
  drawn.hidden = !own;
  if (own) place(drawn, value.box);
  layer.querySelectorAll('button').forEach((button, i) =>
    button.setAttribute('aria-pressed', String(!!value && value.index === i)));
  whole.setAttribute('aria-pressed', String(!value));
  const box = props.photo && value && value.index != null && props.photo.boxes[value.index];
  caption.textContent = box ? `Box ${value.index + 1}, ${box.label}` : own ? 'Your own box' : 'The whole photo';
};

const load = () => {
  const photo = props.photo;
  layer.replaceChildren();
  if (!photo) { image.removeAttribute('src'); return; }
  image.src = photo.src;
  image.alt = photo.about;
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
};

const at = (event) => {
  const view = frame.getBoundingClientRect();
  const inside = (value) => Math.min(Math.max(value, 0), 1);
  return [inside((event.clientX - view.left) / view.width), inside((event.clientY - view.top) / view.height)];
};

let from = null;
const between = (event) => {
  const to = at(event);
  return [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
};
const long = (box) => box[2] - box[0] > SMALLEST && box[3] - box[1] > SMALLEST;

frame.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || !props.photo) return;
  from = at(event);
  frame.setPointerCapture(event.pointerId);
  event.preventDefault();
});
frame.addEventListener('pointermove', (event) => {
  if (!from) return;
  const box = between(event);
  drawn.hidden = !long(box);
  if (long(box)) place(drawn, box);
});
frame.addEventListener('pointerup', (event) => {
  if (!from) return;
  const box = between(event);
  const [x, y] = from;
  from = null;
  if (long(box)) { choose({ box: box, index: null }); return; }
  const area = (b) => (b[2] - b[0]) * (b[3] - b[1]);
  const hits = props.photo.boxes.map((one, i) => ({ box: one.box, index: i }))
    .filter(({ box: b }) => x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3])
    .sort((a, b) => area(a.box) - area(b.box));
  if (hits.length) choose(hits[0]); else paint();
});
frame.addEventListener('pointercancel', () => { from = null; paint(); });
whole.addEventListener('click', () => choose(null));
watch('photo', load);
watch('value', paint);
load();
