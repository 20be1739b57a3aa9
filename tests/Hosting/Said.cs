using System.Collections.Concurrent;

namespace R1Serverless.Tests.Hosting;

/// <summary>Lines that are told to an operator.</summary>
internal sealed class Said : IProgress<string>
{
    private readonly ConcurrentQueue<string> _lines = [];

    public IReadOnlyCollection<string> Lines => _lines;

    public Action<string> OnLine { get; set; } = _ => { };

    public void Report(string value)
    {
        _lines.Enqueue(value);
        OnLine(value);
    }
}
