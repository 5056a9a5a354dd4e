// Thumbnails and cures as buttons: a click tells which one. One with data-field unfolds that field and goes there.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-index]');
  if (button) trigger('select', { index: Number(button.dataset.index) });
  const there = event.target.closest('[data-field]');
  if (!there) return;
  const box = () => document.querySelector(`#${there.dataset.field} :is(input, textarea)`);
  if (!box()?.checkVisibility()) document.querySelector(`#${there.dataset.fold} button`)?.click();
  setTimeout(() => { box()?.focus(); box()?.scrollIntoView({ block: 'center' }); }, 300);
});
