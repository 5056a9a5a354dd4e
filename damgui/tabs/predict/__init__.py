from damgui.tabs.predict.tab import build as build
