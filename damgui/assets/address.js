// The address says which tab is open and which run is chosen there: ?tab=history&run=... props.value is the run that was
// chosen last, as {tab, run}.
const names = JSON.parse(element.querySelector('[data-tabs]').dataset.tabs); // {id: what the tab is called}
const tablist = () => document.querySelector('#dg-tabs > .tab-wrapper');
const current = () => tablist()?.querySelector('[role=tab][aria-selected=true]')?.dataset.tabId;
const asked = () => new URLSearchParams(location.search);
const chosen = {}; // the run of each tab
const FIRST = 'start'; // the tab of an address that names none
const WAIT_MS = 20000;

const write = () => {
  const tab = current();
  if (!tab || tab === (asked().get('tab') || FIRST) && (chosen[tab] || '') === (asked().get('run') || '')) return;
  const query = new URLSearchParams(location.search);
  query.set('tab', tab);
  if (chosen[tab]) query.set('run', chosen[tab]); else query.delete('run');
  history.pushState(null, '', '?' + query);
};

const open = (tab) => {
  if (tab === current()) return;
  const button = tablist().querySelector(`[role=tab][data-tab-id="${CSS.escape(tab)}"]`);
  // A narrow screen keeps the last tabs in a menu, whose entries have no names but their words.
  const menu = () => [...tablist().querySelectorAll('.overflow-dropdown button')];
  (button || menu().find((entry) => entry.textContent.trim() === names[tab]))
    ?.click();
};

const follow = () => { // Back and Forward
  const [tab, run] = [asked().get('tab') || FIRST, asked().get('run') || ''];
  const news = (chosen[tab] || '') !== run;
  chosen[tab] = run;
  open(tab);
  if (news && run) trigger('select', { tab, run });
};

const begin = (since = Date.now()) => {
  if (!current()) { // the tabs are drawn a moment later
    if (Date.now() - since < WAIT_MS) requestAnimationFrame(() => begin(since));
    return;
  }
  const tab = asked().get('tab');
  if (tab) { chosen[tab] = asked().get('run') || ''; open(tab); }
  new MutationObserver(write).observe(tablist(), { attributeFilter: ['aria-selected'], childList: true, subtree: true });
};

watch('value', () => {
  if (!props.value) return;
  const { tab, run } = JSON.parse(props.value);
  chosen[tab] = run;
  if (tab === current()) write();
});
window.addEventListener('popstate', () => { if (element.isConnected) follow(); });
begin();
