// What is at work, asked for at once: the page itself knows it some seconds later. And the button that stops it.
let known = false; // by the page
watch('value', () => { known = true; });
fetch('damgui/header', { cache: 'no-store' })
  .then((answer) => (answer.ok ? answer.text() : null))
  .then((html) => { if (html !== null && !known) element.querySelector('#dg-busy').innerHTML = html; })
  .catch(() => { /* the page will say it */ });
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-stop]');
  if (!button) return;
  button.disabled = true;
  trigger('select', { run: button.dataset.stop });
});
