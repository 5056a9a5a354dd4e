from damgui.tabs.compare.tab import build as build
