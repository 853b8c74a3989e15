// Counts down, and every two seconds asks for what changed. Without it the pages work all the same.
(() => {
  const ahead = Number(document.body.dataset.now) - Date.now() / 1000;
  const place = document.querySelector("[data-live]")?.dataset.live; // not the address: a refused answer has another
  const parts = () => document.querySelectorAll("[data-live]");

  function tick() {
    for (const item of document.querySelectorAll("[data-expires]")) {
      const left = Math.floor(Number(item.dataset.expires) - Date.now() / 1000 - ahead);
      item.textContent = left > 0 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left` : "time is over";
      item.classList.toggle("soon", left < 120);
    }
  }

  function take(part, fresh) {
    if (!fresh || fresh.dataset.version === part.dataset.version) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : null;
    part.replaceWith(fresh);
    // Who works by keyboard stays where they were, or at the heading of what changed.
    if (focused !== null) (document.getElementById(focused) || fresh.querySelector("[tabindex]"))?.focus();
    if (fresh.dataset.title) document.title = fresh.dataset.title;
    if (fresh.dataset.news) document.getElementById("news").textContent = fresh.dataset.news;
  }

  async function ask() {
    if (document.hidden) return;
    const answer = await fetch(`${place}?live=1`, { cache: "no-store", redirect: "error" });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) take(part, page.getElementById(part.id));
    tick();
  }

  tick();
  setInterval(tick, 1000);
  const again = () => setTimeout(() => ask().catch(() => undefined).finally(again), 2000);
  if (place) again();
})();
