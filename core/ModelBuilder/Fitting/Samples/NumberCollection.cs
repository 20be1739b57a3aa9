using System.Globalization;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Rows and windows of numbers as they are read.</summary>
internal sealed class NumberCollection
{
    private readonly List<int> _lines = [];
    private readonly List<string> _labels = [];
    private readonly List<float> _values = [];
    private IReadOnlyList<int>? _shape;

    /// <param name="values">NaN where one is missing.</param>
    /// <exception cref="InvalidDataException">The shape is not that of the samples before.</exception>
    public void Add(int line, string label, IReadOnlyList<int> shape, IEnumerable<float> values)
    {
        _shape ??= shape;
        if (!_shape.SequenceEqual(shape))
            throw new InvalidDataException($"line {line}: 'values' has the shape {Text(shape)}, but the samples before have {Text(_shape)}.");
        _lines.Add(line);
        _labels.Add(label);
        _values.AddRange(values);
    }

    /// <param name="columns">Names, or empty.</param>
    /// <exception cref="InvalidDataException">A column has no number at all.</exception>
    public NumberSamples ToSamples(IReadOnlyList<string> columns)
    {
        var shape = _shape ?? [0];
        float[] values = [.. _values];
        return new NumberSamples(_lines, _labels, shape, columns, values, shape is [var width] ? Missing(values, width, columns) : []);
    }

    private static List<string> Missing(float[] values, int width, IReadOnlyList<string> columns)
    {
        List<string> notes = [];
        for (var column = 0; column < width; column++)
        {
            var numbers = Enumerable.Range(0, values.Length / width).Select(row => values[(row * width) + column]).ToArray();
            var known = numbers.Where(one => !float.IsNaN(one)).ToArray();
            var name = column < columns.Count ? columns[column] : $"values[{column}]";
            if (known.Length == 0) throw new InvalidDataException($"'{name}' has no number in any sample.");
            if (known.Length < numbers.Length)
                notes.Add(string.Create(CultureInfo.InvariantCulture,
                    $"'{name}': {numbers.Length - known.Length} missing, counted as its mean, {known.Average(one => (double)one):G5}."));
        }

        return notes;
    }

    private static string Text(IEnumerable<int> shape) => $"[{string.Join(", ", shape)}]";
}
