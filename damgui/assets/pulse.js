// Asks, beside Gradio and at next to no cost, whether anything in the workspace changed since the page last looked;
// only then the page looks again. props.value is the token of what it saw; the answer is a token and a pause in ms.
const HIDDEN_MS = 10000; // a page that nobody sees asks seldom, and at once when it is seen again
const GIVE_UP_MS = 10000;
let pause = 1000;
let polledAt = 0; // when the page was last told to redraw; its answer brings another token
let timer;

const ask = async () => {
  clearTimeout(timer);
  const seen = props.value;
  if (seen) {
    try {
      const answer = await fetch('damgui/changes', { cache: 'no-store', signal: AbortSignal.timeout(GIVE_UP_MS) });
      const [token, wanted] = answer.ok ? (await answer.text()).split(' ') : [seen, pause];
      pause = Number(wanted);
      const waits = Date.now() - polledAt < GIVE_UP_MS;
      if (token !== seen && props.value === seen && !waits) {
        polledAt = Date.now();
        trigger('select', {});
      }
    } catch (gone) { /* the page's server is away for now */ }
  }
  clearTimeout(timer); // another question may have been asked meanwhile
  if (element.isConnected) timer = setTimeout(ask, document.hidden ? HIDDEN_MS : pause);
};

watch('value', () => { polledAt = 0; });
document.addEventListener('visibilitychange', () => { if (!document.hidden && element.isConnected) ask(); });
timer = setTimeout(ask, pause);
