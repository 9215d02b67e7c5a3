/** How a picture lies in its frame: scale >= 1, and the offset of its top left corner in pixels. */
export type View = { scale: number; x: number; y: number };
export type Size = { width: number; height: number };

export const HOME: View = { scale: 1, x: 0, y: 0 };
export const MOST = 8;

/** Zooms about the point (x, y) of the frame, given as fractions of it: that point stays where it is. */
export function zoomed(view: View, factor: number, x: number, y: number, frame: Size): View {
  const scale = Math.min(Math.max(view.scale * factor, 1), MOST);
  const ratio = scale / view.scale;
  const at = { x: x * frame.width, y: y * frame.height };
  return within({ scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, frame);
}

export function panned(view: View, x: number, y: number, frame: Size): View {
  return within({ ...view, x: view.x + x, y: view.y + y }, frame);
}

// The picture always covers its frame.
function within(view: View, frame: Size): View {
  const clamp = (value: number, extent: number) => Math.min(0, Math.max(value, extent * (1 - view.scale)));
  return { ...view, x: clamp(view.x, frame.width), y: clamp(view.y, frame.height) };
}
