const INPUT = ['pointermove', 'pointerdown', 'keydown', 'wheel'];

/** Watches for a person at this tab; gives how many ms ago there was a sign of one. */
export function watchInput(): () => number {
  let last = Date.now();
  for (const kind of INPUT) {
    window.addEventListener(kind, () => (last = Date.now()), { capture: true, passive: true });
  }
  return () => Date.now() - last;
}
