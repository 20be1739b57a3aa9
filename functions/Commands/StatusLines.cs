using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary>Writes each report of progress as a line.</summary>
internal sealed class StatusLines(TextWriter writer) : IStartProgress
{
    public void Report(string value) => writer.WriteLine(value);
}
