// What the page uses of preact-htm.js.

export type Update<T> = (value: T | ((before: T) => T)) => void;
export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function render(tree: unknown, parent: Element): void;
export function useState<T>(start: T | (() => T)): [T, Update<T>];
export function useState(start: any): [any, Update<any>];
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
export function useRef<T>(start: T): { current: T };
