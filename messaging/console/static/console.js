// Small help on top of pages that work without it: keys, and what is live.
"use strict";

(() => {
  const rows = () => Array.from(document.querySelectorAll("tbody tr[data-href]"));
  let chosen = -1;

  const choose = (index) => {
    const all = rows();
    if (!all.length) return;
    all[chosen]?.classList.remove("chosen");
    chosen = Math.max(0, Math.min(all.length - 1, index));
    all[chosen].classList.add("chosen");
    all[chosen].querySelector("a")?.focus();
  };

  const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
  let afterG = false;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (afterG) {
      afterG = false;
      const path = { o: "/console", m: "/console/messages", p: "/console/parties", r: "/console/routes", v: "/console/alarms", a: "/console/audit" }[event.key];
      if (path) location.assign(path);
      return;
    }
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    } else if (event.key === "j") choose(chosen + 1);
    else if (event.key === "k") choose(chosen - 1);
    else if (event.key === "g") afterG = true;
  });

  const address = document.body.dataset.live;
  if (address && "EventSource" in window) {
    const stream = new EventSource(address);
    stream.addEventListener("changed", async () => {
      const answer = await fetch(location.href, { headers: { "X-Requested-With": "live" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelectorAll("[data-part]").forEach((part) => {
        const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
        if (other && !part.contains(document.activeElement)) part.replaceWith(other);
      });
    });
  }
})();
