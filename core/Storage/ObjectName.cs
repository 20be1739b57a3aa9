using System.Buffers;

namespace R1Serverless.Storage;

/// <summary>The names that every object store takes, so that an object can move from one to another.</summary>
public static class ObjectName
{
    private const int LongestSegment = 128;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    /// <exception cref="ArgumentException">The name is not as <see cref="IObjectStore"/> says.</exception>
    public static void Check(string name)
    {
        foreach (var segment in name.AsSpan().Split('/')) CheckSegment(name, name.AsSpan(segment));
    }

    /// <summary>Whether it is a name that every object store takes.</summary>
    public static bool IsValid(string name)
    {
        foreach (var segment in name.AsSpan().Split('/'))
        {
            if (!IsSegment(name.AsSpan(segment))) return false;
        }

        return true;
    }

    /// <exception cref="ArgumentException">The prefix is no name followed by a slash.</exception>
    public static void CheckPrefix(string prefix)
    {
        if (!prefix.EndsWith('/')) throw new ArgumentException($"The prefix '{prefix}' does not end with a slash.", nameof(prefix));
        Check(prefix[..^1]);
    }

    private static bool IsSegment(ReadOnlySpan<char> segment) =>
        segment.Length is > 0 and <= LongestSegment && segment[0] != '.' && !segment.ContainsAnyExcept(Allowed);

    private static void CheckSegment(string name, ReadOnlySpan<char> segment)
    {
        if (!IsSegment(segment))
            throw new ArgumentException(
                $"'{name}' is no object name: segments between slashes are 1 to {LongestSegment} letters, digits, '-', '_' and '.', the first of "
                + "them no '.'.", nameof(name));
    }
}
