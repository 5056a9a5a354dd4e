from damgui.tabs.batch.tab import build as build
