// Folders as buttons: a click tells which one is opened or used. The arrows go from one to the next, and whoever opened
// a folder by keyboard stands on the first one in it.
let opened = false;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-open], [data-use], [data-recent]');
  if (!button) return;
  opened = 'open' in button.dataset;
  trigger('select', { ...button.dataset });
});
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
element.addEventListener('keydown', (event) => {
  const button = event.target.closest('button');
  if (!button || !STEPS[event.key]) return;
  const all = [...element.querySelectorAll('button')];
  all[all.indexOf(button) + STEPS[event.key]]?.focus();
  event.preventDefault();
});
watch('value', () => {
  if (!opened) return;
  opened = false;
  requestAnimationFrame(() => element.querySelector('.dg-folder-list button, [data-use]')?.focus());
});
