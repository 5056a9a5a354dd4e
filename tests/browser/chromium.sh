#!/usr/bin/env bash
# A Chromium for the browser tests: the system's own, Debian's package, or Playwright's download, in this order.
set -u
python=$1
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if command -v apt-get >/dev/null; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  $as_root apt-get update -qq && $as_root apt-get install -y -qq chromium >/dev/null && exit 0
fi
"$python" -m playwright install chromium
