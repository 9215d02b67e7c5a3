import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef, useState } from 'react';

import { type View, HOME, panned, zoomed } from '@/features/case/lib/view';

const STEP = 1.25;
const NUDGE = 40;

export type ZoomPan = {
  view: View;
  frame: RefObject<HTMLDivElement | null>;
  zoomIn: () => void;
  zoomOut: () => void;
  reset: () => void;
  handlers: {
    onPointerDown: (event: PointerEvent) => void;
    onPointerMove: (event: PointerEvent) => void;
    onKeyDown: (event: KeyboardEvent) => void;
  };
};

/** Zoom by buttons, keys (`+ - 0`), and the wheel while the frame has the focus; pan by dragging and arrow keys. */
export function useZoomPan(): ZoomPan {
  const [view, setView] = useState<View>(HOME);
  const frame = useRef<HTMLDivElement>(null);
  const size = () => ({ width: frame.current?.clientWidth ?? 1, height: frame.current?.clientHeight ?? 1 });
  const zoomBy = (factor: number, x = 0.5, y = 0.5) => setView((v) => zoomed(v, factor, x, y, size()));
  const panBy = (x: number, y: number) => setView((v) => panned(v, x, y, size()));

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    // Not React's onWheel: that one is passive and could not keep the page from scrolling.
    function onWheel(event: WheelEvent) {
      if (element === null || document.activeElement !== element) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      const y = (event.clientY - box.top) / box.height;
      setView((v) => zoomed(v, event.deltaY < 0 ? STEP : 1 / STEP, x, y, box));
    }
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, []);

  function onKeyDown(event: KeyboardEvent) {
    const act: Record<string, () => void> = {
      '+': () => zoomBy(STEP),
      '=': () => zoomBy(STEP),
      '-': () => zoomBy(1 / STEP),
      '0': () => setView(HOME),
      ArrowLeft: () => panBy(NUDGE, 0),
      ArrowRight: () => panBy(-NUDGE, 0),
      ArrowUp: () => panBy(0, NUDGE),
      ArrowDown: () => panBy(0, -NUDGE),
    };
    if (act[event.key] === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act[event.key]?.();
  }

  return {
    view,
    frame,
    zoomIn: () => zoomBy(STEP),
    zoomOut: () => zoomBy(1 / STEP),
    reset: () => setView(HOME),
    handlers: {
      onPointerDown: (event) => event.currentTarget.setPointerCapture(event.pointerId),
      onPointerMove: (event) => {
        if (event.buttons === 1) panBy(event.movementX, event.movementY);
      },
      onKeyDown,
    },
  };
}
