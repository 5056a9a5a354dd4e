// Thumbnails as buttons: a click tells which one.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-index]');
  if (button) trigger('select', { index: Number(button.dataset.index) });
});
