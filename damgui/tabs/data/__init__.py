from damgui.tabs.data.tab import build as build
