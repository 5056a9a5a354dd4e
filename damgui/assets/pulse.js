// Asks, beside Gradio and at next to no cost, whether anything in the workspace changed since the page last looked;
// only then the page looks again. props.value is the token of what it saw.
const ASK_EVERY_MS = 1000;
const GIVE_UP_MS = 10000;
let asked = 0; // when the page was last told to look; its answer brings another token

const ask = async () => {
  const seen = props.value;
  if (seen) {
    try {
      const answer = await fetch('damgui/changes', { cache: 'no-store', signal: AbortSignal.timeout(GIVE_UP_MS) });
      const token = answer.ok ? await answer.text() : seen;
      const waits = Date.now() - asked < GIVE_UP_MS;
      if (token !== seen && props.value === seen && !waits) {
        asked = Date.now();
        trigger('select', {});
      }
    } catch (gone) { /* the page's server is away for now */ }
  }
  if (element.isConnected) setTimeout(ask, ASK_EVERY_MS);
};

watch('value', () => { asked = 0; });
setTimeout(ask, ASK_EVERY_MS);
