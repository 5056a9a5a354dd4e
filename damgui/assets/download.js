// Hands out a file that was made on request: props.value = {path, name, time} of a copy that the page may serve.
watch('value', () => {
  const file = props.value;
  if (!file) return;
  const link = document.createElement('a');
  link.href = 'gradio_api/file=' + file.path.split('/').map(encodeURIComponent).join('/');
  link.download = file.name;
  link.click();
});
