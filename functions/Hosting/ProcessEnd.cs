namespace R1Serverless.Hosting;

/// <summary>How the process ends: code 0 after an orderly stop, 1 when it cannot serve.</summary>
internal sealed class ProcessEnd(IHostApplicationLifetime lifetime, TextWriter errors)
{
    public int ExitCode { get; private set; }

    /// <summary>Tells the operator and stops the host.</summary>
    public void Fail(string message)
    {
        errors.WriteLine($"r1: {message}");
        ExitCode = 1;
        lifetime.StopApplication();
    }
}
