using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace R1Serverless.Bench;

/// <summary>How long a gateway takes to start, in milliseconds.</summary>
/// <param name="FirstByte">From the process's start to the answer of <c>GET /</c>.</param>
/// <param name="Ready">To the first 200 of <c>/health/ready</c>: its queue, an empty one on the local disk, is open.</param>
internal readonly record struct GatewayStartTimes(double FirstByte, double Ready);

/// <param name="FirstByteMost">The slowest of the rounds.</param>
internal sealed record GatewayStartReport(int Rounds, double FirstByte, double FirstByteMost, double Ready, double ReadyMost);

/// <summary>Starts this executable as a gateway, again and again.</summary>
internal static class GatewayStart
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), Pause = TimeSpan.FromMilliseconds(1);

    /// <summary>Medians, after one start more that is not counted: it reads the files from the disk.</summary>
    public static async Task<GatewayStartReport> MeasureAsync(int rounds, TimeProvider time, CancellationToken cancellation)
    {
        List<GatewayStartTimes> measured = [];
        for (int i = -1; i < rounds; i++)
        {
            GatewayStartTimes one = await MeasureOnceAsync(time, cancellation);
            if (i >= 0) measured.Add(one);
        }

        double[] bytes = [.. measured.Select(one => one.FirstByte).Order()], ready = [.. measured.Select(one => one.Ready).Order()];
        return new GatewayStartReport(rounds, bytes[bytes.Length / 2], bytes[^1], ready[ready.Length / 2], ready[^1]);
    }

    /// <exception cref="BenchException">It ended before it answered.</exception>
    public static async Task<GatewayStartTimes> MeasureOnceAsync(TimeProvider time, CancellationToken cancellation)
    {
        string data = Directory.CreateTempSubdirectory("r1-start-").FullName;
        int port = FreePort();
        using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        Dictionary<string, string> settings = new() { ["R1_TRANSPORT"] = "embedded" };
        long start = time.GetTimestamp();
        using Process gateway = ChildProcess.Start(settings, ["serve", "--role", "gateway", "--data", data, "--urls", client.BaseAddress.OriginalString]);
        try
        {
            gateway.OutputDataReceived += (_, _) => { };
            gateway.BeginOutputReadLine();
            double first = await UntilAsync("/", _ => true), ready = await UntilAsync("/health/ready", status => status == HttpStatusCode.OK);
            return new GatewayStartTimes(first, ready);
        }
        finally
        {
            if (!gateway.HasExited) gateway.Kill();
            await gateway.WaitForExitAsync(CancellationToken.None);
            Directory.Delete(data, recursive: true);
        }

        async Task<double> UntilAsync(string path, Func<HttpStatusCode, bool> isIt)
        {
            while (true)
            {
                try
                {
                    using HttpResponseMessage answer = await client.GetAsync(path, cancellation);
                    if (isIt(answer.StatusCode)) return time.GetElapsedTime(start).TotalMilliseconds;
                }
                catch (HttpRequestException)
                {
                    if (gateway.HasExited) throw new BenchException($"The gateway ended with {gateway.ExitCode} before it answered.");
                }

                if (time.GetElapsedTime(start) > Patience) throw new BenchException($"The gateway did not answer {path} in {Patience.TotalMinutes:0} minutes.");
                await Task.Delay(Pause, time, cancellation);
            }
        }
    }

    private static int FreePort()
    {
        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
