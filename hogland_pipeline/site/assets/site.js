// Without this script every page is whole; with it the language and theme are remembered and solutions can be filtered.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");

  function recall(key) {
    try { return localStorage.getItem("hogland-" + key); } catch (refused) { return null; }
  }
  function remember(key, value) {
    try { localStorage.setItem("hogland-" + key, value); } catch (refused) { /* private window: not remembered */ }
  }

  var theme = recall("theme");
  if (theme === "light" || theme === "dark") { root.dataset.theme = theme; }
  function isDark() {
    return (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  }

  // The front page opens in the language that was chosen last; inside, links stay in their language.
  var alternate = document.querySelector('link[rel="alternate"]');
  var chosen = recall("language");
  if (alternate && chosen === alternate.hreflang && chosen !== root.lang && /\/(index\.html)?$/.test(location.pathname)) {
    location.replace(alternate.href + location.hash);
  }

  function languageSwitch() {
    var link = document.querySelector("[data-language-switch]");
    link.addEventListener("click", function () {
      remember("language", link.dataset.languageSwitch);
      link.hash = location.hash;
    });
  }

  function themeSwitch() {
    var button = document.querySelector("[data-theme-switch]");
    function name() { button.textContent = isDark() ? button.dataset.light : button.dataset.dark; }
    button.hidden = false;
    name();
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      remember("theme", root.dataset.theme);
      name();
    });
  }

  function menu() {
    var button = document.querySelector("[data-menu]");
    button.hidden = false;
    button.addEventListener("click", function () {
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
    });
  }

  function folded(text) { return text.toLocaleLowerCase("sv"); }

  function filters(form) {
    var items = Array.from(document.getElementById(form.dataset.filters).children);
    var texts = items.map(function (item) { return folded(item.textContent); });
    var count = document.querySelector("[data-count]");
    function show() {
      var words = folded(form.elements.text.value).split(/\s+/).filter(Boolean);
      var shown = 0;
      items.forEach(function (item, place) {
        var fits = ["area", "stage", "effect"].every(function (name) {
          var value = form.elements[name].value;
          var own = name === "effect" ? item.dataset.effect.split(" ") : [item.dataset[name]];
          return !value || own.includes(value);
        }) && words.every(function (word) { return texts[place].includes(word); });
        item.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      count.textContent = count.dataset.text.replace("{shown}", shown).replace("{all}", items.length);
    }
    form.hidden = false;
    form.addEventListener("input", show);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("reset", function () { setTimeout(show); });
    show();
  }

  // Where a chart of days is pointed at, the row of that day in the table below is told.
  function tips(figure) {
    var rows = Array.from(document.querySelectorAll("#" + figure.dataset.tip + " tbody tr")).reverse();
    var plot = figure.querySelector(".chart .background");
    var first = Date.parse(rows[0].dataset.day), last = Date.parse(rows[rows.length - 1].dataset.day);
    var tip = document.createElement("p");
    tip.className = "tip";
    tip.hidden = true;
    figure.append(tip);
    figure.addEventListener("pointermove", function (event) {
      var box = plot.getBoundingClientRect();
      var share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      var moment = first + share * (last - first);
      var row = rows.reduce(function (near, other) {
        return Math.abs(Date.parse(other.dataset.day) - moment) < Math.abs(Date.parse(near.dataset.day) - moment) ? other : near;
      });
      var low = row.cells[Number(figure.dataset.column)].textContent, high = row.cells[Number(figure.dataset.column) + 1].textContent;
      tip.textContent = row.cells[0].textContent + ": " + (low === high ? low : low + "–" + high) + " " + figure.dataset.unit;
      tip.style.left = 100 * (event.clientX - figure.getBoundingClientRect().left) / figure.clientWidth + "%";
      tip.hidden = false;
    });
    figure.addEventListener("pointerleave", function () { tip.hidden = true; });
  }

  document.addEventListener("DOMContentLoaded", function () {
    languageSwitch();
    themeSwitch();
    menu();
    document.querySelectorAll("[data-filters]").forEach(filters);
    document.querySelectorAll("[data-tip]").forEach(tips);
  });
})();
