// Puts each fault under the field that it is about: props.value is {"set-lora-rank": "No number is given. …", …}.
let faults = {};
const mark = () => {
  for (const [id, sentence] of Object.entries(faults)) {
    if (!sentence) continue;
    const field = document.getElementById(id);
    const input = field?.querySelector('input, textarea');
    if (!input || document.getElementById(`${id}-fault`)) continue; // it is folded away, or marked already
    const line = Object.assign(document.createElement('p'), { id: `${id}-fault`, className: 'dg-fault' });
    line.setAttribute('role', 'alert');
    line.textContent = sentence;
    field.append(line);
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', line.id);
  }
};
const unfolded = new MutationObserver(mark);
const show = () => {
  for (const id of Object.keys(faults)) {
    document.getElementById(`${id}-fault`)?.remove();
    const input = document.getElementById(id)?.querySelector('input, textarea');
    input?.removeAttribute('aria-invalid');
    input?.removeAttribute('aria-describedby');
  }
  faults = props.value ? JSON.parse(props.value) : {};
  mark();
  unfolded.disconnect();
  if (Object.keys(faults).length) unfolded.observe(document.body, { childList: true, subtree: true });
};
watch('value', show);
show();
