from damgui.tabs.history.tab import build as build
