// A table of runs: a click anywhere on a line chooses it. The narrow screen then shows what is said about it.
const PANEL = '#history-chosen';
element.addEventListener('click', (event) => {
  const line = event.target.closest('tr');
  const button = event.target.closest('[data-run]') || (line && line.dataset.id && line.querySelector('[data-run]'));
  if (!button || String(window.getSelection())) return; // a text that is being marked
  trigger('select', { run: button.dataset.run });
  if (line.dataset.id && window.innerWidth < 900) document.querySelector(PANEL)?.scrollIntoView({ block: 'start' });
});
