/** Line icons, 16 × 16; decorative unless labelled by the control around them. */
const PATHS = {
  image: 'M2.5 3.5h11v9h-11zM5 9.5l2-2 2 2 1.5-1.5 2 2.5',
  note: 'M4 2.5h6l2.5 2.5v8.5h-8.5zM6 7h4.5M6 9.5h4.5',
  vitals: 'M1.5 8.5h3l1.5-4 3 7.5 2-5 1 1.5h2.5',
  check: 'M3.5 8.5l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  warning: 'M8 2.5l6 10.5h-12zM8 6.5v3M8 11.2v.3',
  lock: 'M4 7.5h8v5.5h-8zM5.5 7.5v-2a2.5 2.5 0 0 1 5 0v2',
  minus: 'M3.5 8h9',
  plus: 'M8 3.5v9M3.5 8h9',
  reset: 'M3.5 6.5a5 5 0 1 1 0 3.5M3.5 3v3.5h3.5',
  invert: 'M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11',
  back: 'M9.5 3.5l-4.5 4.5 4.5 4.5',
  download: 'M8 2.5v7M5 7l3 3 3-3M3 13h10',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.5M8 13v1.5M1.5 8h1.5M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  moon: 'M13 9.5a5.5 5.5 0 1 1-6.5-6.5 4.5 4.5 0 0 0 6.5 6.5z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
