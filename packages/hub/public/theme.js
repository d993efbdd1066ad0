// Before the first paint: the theme this browser was told to use, else the system's.
"use strict";
{
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
