from damgui.tabs.ablation.tab import build as build
